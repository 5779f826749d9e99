/// The destination in a connection's first packet, as TCP_SAVED_SYN gives it: the IP header, then that of
/// TCP.
internal import KmeshKit

enum SYNVerdict: Equatable {
    /// Without our option.
    case absent
    /// With `recordsFollow` the stream begins with metadata too.
    case destination(SocketAddress, recordsFollow: Bool)
    /// Four bytes that stand for an IPv6 address and port: see `DestinationHash`.
    case shortForm(UInt32, recordsFollow: Bool)
    case refused(MetadataRefusal)
}

/// More headers before that of TCP are not looked through.
private let maximumExtensionHeaders = 8

func parseSavedSYN(_ bytes: Span<UInt8>) -> SYNVerdict {
    guard bytes.count > 0 else { return .refused(.badPacket) }
    let start: Int? =
        switch bytes[0] >> 4 {
        case 4: segmentStartV4(bytes)
        case 6: segmentStartV6(bytes)
        default: nil
        }
    guard let start, start + 20 <= bytes.count else { return .refused(.badPacket) }
    let end = start + Int(bytes[start + 12] >> 4) * 4
    guard end >= start + 20, end <= bytes.count else { return .refused(.badPacket) }
    return parseOptions(bytes, (start + 20)..<end)
}

private func segmentStartV4(_ bytes: Span<UInt8>) -> Int? {
    let length = Int(bytes[0] & 15) * 4
    guard length >= 20, bytes.count >= length, bytes[9] == 6 else { return nil }
    return length
}

private func segmentStartV6(_ bytes: Span<UInt8>) -> Int? {
    guard bytes.count >= 40 else { return nil }
    var next = bytes[6]
    var at = 40
    for _ in 0..<maximumExtensionHeaders {
        switch next {
        case 6: return at
        // Hop-by-hop options, routing, destination options: counted in eight bytes besides the first eight.
        case 0, 43, 60:
            guard at + 8 <= bytes.count else { return nil }
            next = bytes[at]
            at += 8 + Int(bytes[at + 1]) * 8
        default: return nil
        }
    }
    return next == 6 ? at : nil
}

private func parseOptions(_ bytes: Span<UInt8>, _ range: Range<Int>) -> SYNVerdict {
    var verdict = SYNVerdict.absent
    var at = range.lowerBound
    while at < range.upperBound {
        if bytes[at] == 0 { break }
        if bytes[at] == 1 {
            at += 1
            continue
        }
        guard at + 1 < range.upperBound else { return .refused(.badPacket) }
        let length = Int(bytes[at + 1])
        guard length >= 2, at + length <= range.upperBound else { return .refused(.badPacket) }
        let isOurs =
            bytes[at] == WaypointWire.optionKind && length >= 4
            && bytes.number16(at: at + 2) == WaypointWire.optionIdentifier
        if isOurs {
            guard verdict == .absent else { return .refused(.repeatedOption) }
            verdict = parseOurOption(bytes, at, length)
        }
        at += length
    }
    return verdict
}

private func parseOurOption(_ bytes: Span<UInt8>, _ start: Int, _ length: Int) -> SYNVerdict {
    guard length > 4 else { return .refused(.badOption) }
    let flags = bytes[start + 4]
    guard flags & ~(WaypointWire.optionRecordsFollow | WaypointWire.optionIsShort) == 0 else {
        return .refused(.badOption)
    }
    let recordsFollow = flags & WaypointWire.optionRecordsFollow != 0
    if flags & WaypointWire.optionIsShort != 0 {
        guard length == WaypointWire.shortOptionLength else { return .refused(.badOption) }
        return .shortForm(bytes.number32(at: start + 5), recordsFollow: recordsFollow)
    }
    guard length == WaypointWire.optionLength else { return .refused(.badOption) }
    let address = IPAddress(v4: bytes.number32(at: start + 5))
    return .destination(SocketAddress(address, bytes.number16(at: start + 9)), recordsFollow: recordsFollow)
}
