/// Kmesh's metadata on the stream: `01`, a length of 4 bytes, address and port, then `fe` and a length of 0.
/// 16 bytes for IPv4, 28 for IPv6, which may be a mapped IPv4 address.
internal import KmeshKit

enum RecordsVerdict: Equatable {
    case needMore
    /// The stream does not begin with metadata.
    case absent
    /// The application's bytes follow after `consumed`.
    case complete(SocketAddress, consumed: Int)
    case refused(MetadataRefusal)
}

/// Starts over at each call: there are 28 bytes at most.
func parseDestinationRecords(_ bytes: Span<UInt8>) -> RecordsVerdict {
    guard bytes.count > 0 else { return .needMore }
    switch bytes[0] {
    case WaypointWire.destinationType: break
    case WaypointWire.endType: return .refused(.missingDestination)
    case WaypointWire.extensionType: return .refused(.unknownType)
    default: return .absent
    }
    // Byte by byte, so that a wrong one is not waited behind.
    for offset in 1..<min(4, bytes.count) where bytes[offset] != 0 { return .refused(.badLength) }
    guard bytes.count > 4 else { return .needMore }
    let length = Int(bytes[4])
    guard length == 6 || length == 18 else { return .refused(.badLength) }
    let end = 5 + length
    guard bytes.count > end else { return .needMore }
    switch bytes[end] {
    case WaypointWire.endType: break
    case WaypointWire.destinationType: return .refused(.repeatedDestination)
    default: return .refused(.unknownType)
    }
    for offset in (end + 1)..<(end + 5) {
        guard offset < bytes.count else { return .needMore }
        guard bytes[offset] == 0 else { return .refused(.badLength) }
    }
    let address =
        length == 6
        ? IPAddress(v4: bytes.number32(at: 5))
        : IPAddress(high: bytes.number64(at: 5), low: bytes.number64(at: 13))
    return .complete(SocketAddress(address, bytes.number16(at: end - 2)), consumed: end + 5)
}
