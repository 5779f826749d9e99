/// Frames of new TCP connections, byte by byte, for programs that look at packets.
public import KmeshKit

public struct TestPacket: Sendable {
    public var source: SocketAddress
    public var destination: SocketAddress
    public var flags: UInt8 = 0x02
    /// 802.1Q tags, outermost first.
    public var vlanTags: [UInt16] = []
    /// IPv4: bytes of options. IPv6: extension headers, each with its type.
    public var options: [UInt8] = []
    public var extensions: [(type: UInt8, bytes: [UInt8])] = []
    public var tcpOptions: [UInt8] = [2, 4, 5, 0xb4]
    public var payload: [UInt8] = []
    public var sequence: UInt32 = 0x0102_0304
    /// In units of 8 bytes; `nil` is no fragment.
    public var fragment: (offset: UInt16, hasMore: Bool)?
    /// As an interface leaves it that completes checksums itself: the sum of the pseudo header alone.
    public var hasPartialChecksum = false
    public var isUDP = false

    public init(from source: SocketAddress, to destination: SocketAddress) {
        self.source = source
        self.destination = destination
    }

    public var isV4: Bool { source.address.isV4 }

    public var networkOffset: Int { 14 + 4 * vlanTags.count }

    public var bytes: [UInt8] {
        var frame: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
        for tag in vlanTags { frame += [0x81, 0x00] + be(tag) }
        frame += isV4 ? [0x08, 0x00] : [0x86, 0xdd]
        return frame + (isV4 ? v4 : v6)
    }

    private var transport: [UInt8] {
        if isUDP {
            return be(source.port) + be(destination.port) + be(UInt16(8 + payload.count)) + [0, 0] + payload
        }
        var segment = be(source.port) + be(destination.port) + be32(sequence) + be32(0)
        segment += [UInt8((20 + tcpOptions.count) / 4) << 4, flags, 0xff, 0xff, 0, 0, 0, 0]
        segment += tcpOptions + payload
        let pseudo =
            addressBytes(source.address) + addressBytes(destination.address)
            + [0, 6] + be(UInt16(segment.count))
        let sum = hasPartialChecksum ? ~Self.checksum(pseudo) : Self.checksum(pseudo + segment)
        segment.replaceSubrange(16..<18, with: be(sum))
        return segment
    }

    private var v4: [UInt8] {
        let body = transport
        let length = 20 + options.count
        let fragmentBits = fragment.map { $0.offset | ($0.hasMore ? 0x2000 : 0) } ?? 0x4000
        var header: [UInt8] = [0x40 | UInt8(length / 4), 0] + be(UInt16(length + body.count))
        header += [0x12, 0x34] + be(fragmentBits) + [63, isUDP ? 17 : 6, 0, 0]
        header += addressBytes(source.address) + addressBytes(destination.address) + options
        header.replaceSubrange(10..<12, with: be(Self.checksum(header)))
        return header + body
    }

    private var v6: [UInt8] {
        var chain: [UInt8] = []
        let upper: UInt8 = isUDP ? 17 : 6
        var all = extensions
        if let fragment {
            let bits = fragment.offset << 3 | (fragment.hasMore ? 1 : 0)
            all.append((44, [0, 0] + be(bits) + [0, 0, 0, 1]))
        }
        for (index, element) in all.enumerated() {
            var bytes = element.bytes
            bytes[0] = index + 1 < all.count ? all[index + 1].type : upper
            chain += bytes
        }
        let body = chain + transport
        return [0x60, 0, 0, 0] + be(UInt16(body.count)) + [all.first?.type ?? upper, 64]
            + addressBytes(source.address) + addressBytes(destination.address) + body
    }

    private func addressBytes(_ address: IPAddress) -> [UInt8] {
        let all = be64(address.high) + be64(address.low)
        return address.isV4 ? Array(all.suffix(4)) : all
    }

    /// The Internet checksum, RFC 1071.
    public static func checksum(_ bytes: some Collection<UInt8>) -> UInt16 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.enumerated() { sum += UInt32(byte) << (index.isMultiple(of: 2) ? 8 : 0) }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(sum)
    }
}

private func be(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
private func be32(_ value: UInt32) -> [UInt8] {
    be(UInt16(value >> 16)) + be(UInt16(truncatingIfNeeded: value))
}
private func be64(_ value: UInt64) -> [UInt8] {
    be32(UInt32(value >> 32)) + be32(UInt32(truncatingIfNeeded: value))
}

/// An address that the test knows to be one.
public func testAddress(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("\(text) is not an address") }
    return address
}
