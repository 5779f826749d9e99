/// The bytes that carry a connection's original destination to the waypoint.
internal import CKmeshABI

/// Why metadata is not taken. Each is counted by its name; the connection closes.
enum MetadataRefusal: UInt8, BitwiseCopyable, CaseIterable {
    case unknownType, badLength, missingDestination, repeatedDestination
    case badSignature, badVersion, badAddress, badPort, tooLong, unsupportedFamily, badChecksum
    case badPacket, badOption, repeatedOption
}

/// The numbers are those that the BPF programs send by: see `bpf/include/kmesh/abi/waypoint.h`.
enum WaypointWire {
    /// Kinds of the records that sk_msg puts before the first bytes.
    static let destinationType = UInt8(KMESH_TLV_DESTINATION)
    static let endType = UInt8(KMESH_TLV_END)
    /// Kmesh keeps it for records to come.
    static let extensionType: UInt8 = 0xff

    /// The TCP option on a SYN: an experimental kind with an identifier (RFC 6994), here "KM".
    static let optionKind = UInt8(KMESH_OPTION_KIND)
    static let optionIdentifier = UInt16(KMESH_OPTION_EXID)
    /// Flags: the records follow on the stream; the destination is in its short form.
    static let optionRecordsFollow = UInt8(KMESH_OPTION_TLV.rawValue)
    static let optionIsShort = UInt8(KMESH_OPTION_HASH.rawValue)
    /// Kind, length, identifier, flags, and four bytes of address with two of port, or four of short form.
    static let optionLength = Int(KMESH_OPTION_V4_SIZE)
    static let shortOptionLength = Int(KMESH_OPTION_V6_SIZE)
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
