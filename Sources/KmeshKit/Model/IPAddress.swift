/// An IPv4 or IPv6 address. IPv4 is held as v4-mapped IPv6 (`::ffff:a.b.c.d`), the form that the maps use.
public struct IPAddress: Hashable, Sendable {
    /// The 16 bytes in network order, as two big-endian halves.
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// IPv4 from its 32 bits, most significant byte first.
    public init(v4 bits: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(bits))
    }

    public var isV4: Bool { high == 0 && low >> 32 == 0xffff }
    public var v4Bits: UInt32 { UInt32(truncatingIfNeeded: low) }
    public var family: AddressFamily { isV4 ? .v4 : .v6 }

    /// `0.0.0.0` or `::`.
    public var isUnspecified: Bool { high == 0 && (low == 0 || low == 0xffff_0000_0000) }

    public var isLoopback: Bool { isV4 ? v4Bits >> 24 == 127 : high == 0 && low == 1 }

    /// Whether others than neighbors can reach it: neither loopback nor link-local (fe80::/10).
    var isReachable: Bool { !isLoopback && !isUnspecified && high >> 54 != 0xfe80 >> 6 }

    /// Byte `index` of the 16, in network order.
    func byte(_ index: Int) -> UInt8 {
        let half = index < 8 ? high : low
        return UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * (index & 7)))
    }
}

public enum AddressFamily: UInt8, Hashable, Sendable, CaseIterable {
    case v4 = 4
    case v6 = 6
}

extension IPAddress: Comparable {
    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension IPAddress: LosslessStringConvertible {
    /// Reads dotted IPv4 without leading zeros, or IPv6 as in RFC 4291 section 2.2. No zone, no prefix.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if let bits = parseV4(bytes[...]) {
            self.init(v4: bits)
        } else if let groups = parseV6(bytes[...]) {
            self.init(
                high: groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) },
                low: groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) })
        } else {
            return nil
        }
    }

    /// Dotted IPv4, or IPv6 as RFC 5952 recommends.
    public var description: String {
        if isV4 {
            return (12..<16).map { String(byte($0)) }.joined(separator: ".")
        }
        let groups = (0..<8).map { UInt16(byte(2 * $0)) << 8 | UInt16(byte(2 * $0 + 1)) }
        let zeros = longestZeroRun(groups)
        let texts = groups.map { String($0, radix: 16) }
        guard let zeros else { return texts.joined(separator: ":") }
        return texts[..<zeros.lowerBound].joined(separator: ":") + "::"
            + texts[zeros.upperBound...].joined(separator: ":")
    }
}

private func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
    var best: Range<Int>?
    var start = 0
    while start < groups.count {
        var end = start
        while end < groups.count, groups[end] == 0 { end += 1 }
        if end - start > max(1, best?.count ?? 0) { best = start..<end }
        start = max(end, start + 1)
    }
    return best
}

private func parseV4(_ text: ArraySlice<UInt8>) -> UInt32? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
        guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else {
            return nil
        }
        var value: UInt32 = 0
        for digit in part {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + UInt32(digit - 0x30)
        }
        guard value <= 255 else { return nil }
        bits = bits << 8 | value
    }
    return bits
}

private func parseV6(_ text: ArraySlice<UInt8>) -> [UInt16]? {
    let colon = UInt8(ascii: ":")
    // "::" stands for one run of zeros; at most one may appear.
    let gaps = text.indices.dropLast().filter { text[$0] == colon && text[$0 + 1] == colon }
    guard gaps.count <= 1 else { return nil }
    guard let gap = gaps.first else {
        guard let groups = parseGroups(text), groups.count == 8 else { return nil }
        return groups
    }
    let head = text[..<gap], tail = text[(gap + 2)...]
    guard let left = head.isEmpty ? [] : parseGroups(head), let right = tail.isEmpty ? [] : parseGroups(tail),
        left.count + right.count < 8
    else { return nil }
    return left + Array(repeating: 0, count: 8 - left.count - right.count) + right
}

/// Groups of hexadecimal digits; the last may be dotted IPv4.
private func parseGroups(_ text: ArraySlice<UInt8>) -> [UInt16]? {
    var groups: [UInt16] = []
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
        if index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
            guard let bits = parseV4(part) else { return nil }
            groups += [UInt16(bits >> 16), UInt16(truncatingIfNeeded: bits)]
            continue
        }
        guard (1...4).contains(part.count) else { return nil }
        var value: UInt16 = 0
        for character in part {
            guard let digit = hexadecimalDigit(character) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        groups.append(value)
    }
    return groups
}

private func hexadecimalDigit(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x41...0x46: character - 0x41 + 10
    case 0x61...0x66: character - 0x61 + 10
    default: nil
    }
}
