/// The PROXY protocol, versions 1 and 2: a load balancer's word on whose connection it is.
internal import KmeshKit

enum ProxyVerdict: Equatable {
    case needMore
    /// The stream does not begin with a PROXY header.
    case absent
    /// The application's bytes follow after `consumed`.
    case complete(source: SocketAddress, destination: SocketAddress, consumed: Int)
    /// The balancer's own connection, or one of a kind that it does not tell: the socket's addresses count.
    case local(consumed: Int)
    case refused(MetadataRefusal)
}

/// The longest line of version 1.
private let maximumLine = 107
/// Version 2 allows 64 KiB of header; nobody sends so much, and we keep it until it is whole.
let maximumProxyHeader = 4096

/// Starts over at each call.
func parseProxyHeader(_ bytes: Span<UInt8>) -> ProxyVerdict {
    guard bytes.count > 0 else { return .needMore }
    if bytes.matches("PROXY ", at: 0) { return parseLine(bytes) }
    if bytes.matches("\r\n\r\n\u{0}\r\nQUIT\n", at: 0) { return parseBinary(bytes) }
    let couldBe =
        bytes.isPrefix(of: "PROXY ", from: 0) || bytes.isPrefix(of: "\r\n\r\n\u{0}\r\nQUIT\n", from: 0)
    return couldBe ? .needMore : .absent
}

private func parseLine(_ bytes: Span<UInt8>) -> ProxyVerdict {
    let feed = bytes.lineFeed(from: 0)
    guard feed < bytes.count else { return bytes.count < maximumLine ? .needMore : .refused(.tooLong) }
    guard feed < maximumLine else { return .refused(.tooLong) }
    guard bytes[feed - 1] == ASCII.carriageReturn else { return .refused(.badSignature) }
    var text: [UInt8] = []
    for at in 6..<(feed - 1) { text.append(bytes[at]) }
    let words = text.split(separator: ASCII.space, omittingEmptySubsequences: false)
    let family = words.first.map { String(decoding: $0, as: UTF8.self) }
    switch family {
    // Whatever follows is to be ignored.
    case "UNKNOWN": return .local(consumed: feed + 1)
    case "TCP4", "TCP6": break
    default: return .refused(.unsupportedFamily)
    }
    guard words.count == 5 else { return .refused(.badAddress) }
    guard let source = IPAddress(String(decoding: words[1], as: UTF8.self)),
        let destination = IPAddress(String(decoding: words[2], as: UTF8.self)),
        // The text decides: a mapped IPv4 address is IPv6 here.
        words[1].contains(ASCII.colon) == (family == "TCP6"),
        words[2].contains(ASCII.colon) == (family == "TCP6")
    else { return .refused(.badAddress) }
    guard let sourcePort = parsePort(words[3]), let destinationPort = parsePort(words[4]) else {
        return .refused(.badPort)
    }
    return .complete(
        source: SocketAddress(source, sourcePort), destination: SocketAddress(destination, destinationPort),
        consumed: feed + 1)
}

/// Digits without leading zeros.
private func parsePort(_ text: ArraySlice<UInt8>) -> UInt16? {
    guard let first = text.first, text.count <= 5, text.allSatisfy(ASCII.isDigit) else { return nil }
    guard text.count == 1 || first != UInt8(ascii: "0") else { return nil }
    return UInt16(String(decoding: text, as: UTF8.self))
}

private func parseBinary(_ bytes: Span<UInt8>) -> ProxyVerdict {
    guard bytes.count > 12 else { return .needMore }
    let command = bytes[12]
    guard command == 0x20 || command == 0x21 else { return .refused(.badVersion) }
    guard bytes.count >= 16 else { return .needMore }
    let end = 16 + Int(bytes.number16(at: 14))
    guard end <= maximumProxyHeader else { return .refused(.tooLong) }
    let isLocal = command == 0x20 || bytes[13] == 0
    let addressEnd: Int
    switch bytes[13] {
    case _ where isLocal: addressEnd = 16
    case 0x11: addressEnd = 28
    case 0x21: addressEnd = 52
    default: return .refused(.unsupportedFamily)
    }
    guard end >= addressEnd else { return .refused(.badLength) }
    guard bytes.count >= end else { return .needMore }
    if isLocal { return .local(consumed: end) }
    if let refusal = refusalOfExtensions(bytes, addressEnd, end) { return .refused(refusal) }
    let (source, destination) =
        addressEnd == 28
        ? (IPAddress(v4: bytes.number32(at: 16)), IPAddress(v4: bytes.number32(at: 20)))
        : (
            IPAddress(high: bytes.number64(at: 16), low: bytes.number64(at: 24)),
            IPAddress(high: bytes.number64(at: 32), low: bytes.number64(at: 40))
        )
    return .complete(
        source: SocketAddress(source, bytes.number16(at: addressEnd - 4)),
        destination: SocketAddress(destination, bytes.number16(at: addressEnd - 2)), consumed: end)
}

/// Each is a type, a length of two bytes and a value. Only the checksum means something to us.
private func refusalOfExtensions(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> MetadataRefusal? {
    var at = start
    while at < end {
        guard at + 3 <= end else { return .badLength }
        let length = Int(bytes.number16(at: at + 1))
        guard at + 3 + length <= end else { return .badLength }
        if bytes[at] == 0x03 {
            guard length == 4 else { return .badLength }
            let stated = bytes.number32(at: at + 3)
            guard checksum(bytes, end, without: (at + 3)..<(at + 7)) == stated else { return .badChecksum }
        }
        at += 3 + length
    }
    return nil
}

/// CRC32c of the header, with zeros for `without`.
private func checksum(_ bytes: Span<UInt8>, _ end: Int, without hole: Range<Int>) -> UInt32 {
    var sum = UInt32.max
    for at in 0..<end {
        sum ^= hole.contains(at) ? 0 : UInt32(bytes[at])
        for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0x82f6_3b78 }
    }
    return ~sum
}
