/// Writes and reads the messages of netlink(7): a header, a fixed body, then attributes, each padded to four
/// bytes.
internal import CLinux

/// A request that grows by attributes.
struct NetlinkMessage {
    private(set) var bytes: [UInt8]

    init(type: Int, flags: Int, sequence: UInt32, body: [UInt8]) {
        bytes = []
        bytes.reserveCapacity(256)
        append(UInt32(0))  // The length; see `finished`.
        append(UInt16(type))
        append(UInt16(flags))
        append(sequence)
        append(UInt32(0))  // The kernel fills in the sender.
        bytes += body
        pad()
    }

    mutating func add(_ attribute: Int, _ value: [UInt8]) {
        append(UInt16(4 + value.count))
        append(UInt16(attribute))
        bytes += value
        pad()
    }

    mutating func add(_ attribute: Int, _ value: UInt32) {
        add(attribute, nativeBytes(value))
    }

    mutating func add(_ attribute: Int, _ name: String) {
        add(attribute, Array(name.utf8) + [0])
    }

    /// Four bytes for IPv4, sixteen for IPv6.
    mutating func add(_ attribute: Int, _ address: IPAddress) {
        add(attribute, address.networkBytes)
    }

    /// An attribute that holds attributes.
    mutating func nest(_ attribute: Int, _ fill: (inout NetlinkMessage) -> Void) {
        let start = bytes.count
        add(attribute, [])
        fill(&self)
        let length = nativeBytes(UInt16(bytes.count - start))
        bytes.replaceSubrange(start..<start + 2, with: length)
    }

    /// Puts bytes that are no attribute into a nested one.
    mutating func addRaw(_ raw: [UInt8]) {
        bytes += raw
        pad()
    }

    func finished() -> [UInt8] {
        var whole = bytes
        whole.replaceSubrange(0..<4, with: nativeBytes(UInt32(bytes.count)))
        return whole
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        bytes += nativeBytes(value)
    }

    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }
}

/// The kernel's byte order is the machine's.
func nativeBytes(_ value: some FixedWidthInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value.littleEndian >> (8 * $0)) }
}

/// One message from the kernel.
struct NetlinkReply {
    let type: Int
    let flags: Int
    let sequence: UInt32
    let payload: ArraySlice<UInt8>

    static let headerSize = 16

    /// Takes apart what one read returned. `nil` when a length does not fit what is there.
    static func split(_ bytes: [UInt8]) -> [NetlinkReply]? {
        var replies: [NetlinkReply] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let length = rest.native(UInt32.self, at: 0), length >= headerSize, length <= rest.count,
                let type = rest.native(UInt16.self, at: 4), let flags = rest.native(UInt16.self, at: 6),
                let sequence = rest.native(UInt32.self, at: 8)
            else { return nil }
            let payload = rest.prefix(Int(length)).dropFirst(headerSize)
            replies.append(
                NetlinkReply(type: Int(type), flags: Int(flags), sequence: sequence, payload: payload))
            rest = rest.dropFirst(aligned(Int(length)))
        }
        return replies
    }
}

struct NetlinkAttribute {
    let type: Int
    let value: ArraySlice<UInt8>

    /// The attributes in `bytes`. `nil` when a length does not fit what is there.
    static func split(_ bytes: ArraySlice<UInt8>) -> [NetlinkAttribute]? {
        var attributes: [NetlinkAttribute] = []
        var rest = bytes
        while !rest.isEmpty {
            guard let length = rest.native(UInt16.self, at: 0), length >= 4, length <= rest.count,
                let type = rest.native(UInt16.self, at: 2)
            else { return nil }
            // The two high bits tell of nesting and byte order.
            attributes.append(
                NetlinkAttribute(type: Int(type & 0x3fff), value: rest.prefix(Int(length)).dropFirst(4)))
            rest = rest.dropFirst(aligned(Int(length)))
        }
        return attributes
    }

    /// A text up to its NUL.
    var text: String { String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }

    var number: UInt32? { value.count == 4 ? value.native(UInt32.self, at: 0) : nil }

    var address: IPAddress? { IPAddress(networkBytes: value) }
}

private func aligned(_ length: Int) -> Int { (length + 3) & ~3 }

extension ArraySlice<UInt8> {
    /// A number in the machine's order, `offset` bytes from the start. `nil` when there are too few bytes.
    func native<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number? {
        let size = Number.bitWidth / 8
        guard offset >= 0, count >= offset + size else { return nil }
        var number: Number = 0
        for index in 0..<size {
            number |= Number(truncatingIfNeeded: self[startIndex + offset + index]) << (8 * index)
        }
        return Number(littleEndian: number)
    }
}

extension IPAddress {
    /// Four bytes for IPv4, sixteen for IPv6.
    var networkBytes: [UInt8] {
        (isV4 ? 12..<16 : 0..<16).map { byte($0) }
    }

    init?(networkBytes bytes: some Collection<UInt8>) {
        let halves = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch bytes.count {
        case 4: self.init(v4: UInt32(halves))
        case 16: self.init(high: halves, low: bytes.dropFirst(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }
}
