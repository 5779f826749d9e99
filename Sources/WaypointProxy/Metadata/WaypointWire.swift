/// The bytes that carry a connection's original destination to the waypoint.

/// Why metadata is not taken. Each is counted by its name; the connection closes.
enum MetadataRefusal: UInt8, BitwiseCopyable, CaseIterable {
    case unknownType, badLength, missingDestination, repeatedDestination
    case badSignature, badVersion, badAddress, badPort, tooLong, unsupportedFamily, badChecksum
    case badPacket, badOption, repeatedOption
}

enum WaypointWire {
    /// Kinds of the records that sk_msg puts before the first bytes.
    static let destinationType: UInt8 = 0x01
    static let endType: UInt8 = 0xfe
    static let extensionType: UInt8 = 0xff

    /// The TCP option on a SYN: an experimental kind with an identifier (RFC 6994), here "KM".
    static let optionKind: UInt8 = 253
    static let optionIdentifier: UInt16 = 0x4b4d
    /// Flags: the records follow on the stream; the destination is in its short form.
    static let optionRecordsFollow: UInt8 = 1
    static let optionIsShort: UInt8 = 2
    /// Kind, length, identifier, flags, and four bytes of address with two of port, or four of short form.
    static let optionLength = 11
    static let shortOptionLength = 9
}

extension Span<UInt8> {
    /// Big-endian numbers. They must be inside.
    func number16(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    func number32(at offset: Int) -> UInt32 {
        UInt32(number16(at: offset)) << 16 | UInt32(number16(at: offset + 2))
    }

    func number64(at offset: Int) -> UInt64 {
        UInt64(number32(at: offset)) << 32 | UInt64(number32(at: offset + 4))
    }
}
