/// A range of addresses in CIDR form. IPv4 blocks are held as v4-mapped IPv6, with 96 bits more.
public struct IPBlock: Hashable, Sendable {
    /// Bits after the prefix are 0.
    public let address: IPAddress
    /// 0 to 128; 96 to 128 for an IPv4 block.
    public let prefixLength: UInt8

    /// - Parameter prefixLength: of the address's own family: 0 to 32 or 0 to 128. `nil` outside of that.
    public init?(_ address: IPAddress, prefixLength: Int) {
        let length = address.isV4 ? prefixLength + 96 : prefixLength
        guard prefixLength >= 0, length <= 128 else { return nil }
        self.prefixLength = UInt8(length)
        self.address = address.masked(to: length)
    }

    public func contains(_ other: IPAddress) -> Bool {
        // 0.0.0.0/0 is every IPv4 address and ::/0 every IPv6 one: neither reaches into the other family.
        address.isV4Block(prefixLength) == other.isV4 && other.masked(to: Int(prefixLength)) == address
    }

    /// Whether it is a block of IPv4 addresses.
    public var isV4: Bool { address.isV4Block(prefixLength) }
}

extension IPAddress {
    fileprivate func isV4Block(_ prefixLength: UInt8) -> Bool { prefixLength >= 96 && isV4 }

    /// The first `length` of 128 bits, and zeros.
    package func masked(to length: Int) -> IPAddress {
        IPAddress(
            high: length >= 64 ? high : high & ~(UInt64.max >> UInt64(length)),
            low: length <= 64 ? 0 : low & ~(UInt64.max >> UInt64(length - 64)))
    }
}

extension IPBlock: LosslessStringConvertible {
    /// Reads `10.0.0.0/8`, `fd00::/64` or an address alone. `::ffff:10.0.0.0/104` is `10.0.0.0/8`; a mapped
    /// address with less than 96 bits is no block of either family.
    public init?(_ text: String) {
        guard let slash = text.firstIndex(of: "/") else {
            guard let address = IPAddress(text) else { return nil }
            self.init(address, prefixLength: address.isV4 ? 32 : 128)
            return
        }
        let length = text[text.index(after: slash)...]
        guard let address = IPAddress(text[..<slash]), let prefixLength = Int(length),
            length == String(prefixLength)
        else { return nil }
        // What is written as IPv6 has a length of IPv6.
        let isMapped = address.isV4 && text[..<slash].contains(":")
        self.init(address, prefixLength: isMapped ? prefixLength - 96 : prefixLength)
    }

    public var description: String {
        "\(address)/\(isV4 ? prefixLength - 96 : prefixLength)"
    }
}
