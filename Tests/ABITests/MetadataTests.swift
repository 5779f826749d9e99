import CKmeshABI
import KmeshKit
import Testing

/// What programs tell a waypoint, byte for byte.
@Suite struct MetadataTests {
    private func address(_ text: String) throws -> kmesh_address {
        let address = try #require(IPAddress(text))
        let parts = [address.high >> 32, address.high, address.low >> 32, address.low]
        let words = parts.map { UInt32(truncatingIfNeeded: $0).bigEndian }
        return kmesh_address(words: (words[0], words[1], words[2], words[3]))
    }

    private func option(_ text: String, _ port: UInt16, _ flags: UInt8) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(KMESH_OPTION_V4_SIZE))
        var address = try address(text)
        let size = unsafe kmesh_write_option(&bytes, &address, port, flags)
        return Array(bytes.prefix(Int(size)))
    }

    private func tlv(_ text: String, _ port: UInt16) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: Int(KMESH_TLV_V6_SIZE))
        var address = try address(text)
        let size = unsafe kmesh_write_tlv(&bytes, &address, port)
        return Array(bytes.prefix(Int(size)))
    }

    @Test func theOptionHasAddressAndPort() throws {
        let flag = UInt8(KMESH_OPTION_TLV.rawValue)
        #expect(try option("10.96.8.1", 80, flag) == [253, 11, 0x4b, 0x4d, 1, 10, 96, 8, 1, 0, 80])
        #expect(try option("10.96.8.1", 65535, 0) == [253, 11, 0x4b, 0x4d, 0, 10, 96, 8, 1, 255, 255])
    }

    @Test func theOptionOfIPv6HasTheHash() throws {
        let hash = DestinationHash.of(SocketAddress(try #require(IPAddress("fd00::1")), 8080))
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: hash >> (24 - 8 * $0)) }
        #expect(try option("fd00::1", 8080, 1) == [253, 9, 0x4b, 0x4d, 3] + bytes)
        #expect(try option("fd00::1", 8080, 0)[4] == UInt8(KMESH_OPTION_HASH.rawValue))
    }

    @Test func hashesAreThoseOfTheHeader() throws {
        var random = SplitMix64(seed: 11)
        for _ in 0..<200 {
            let destination = SocketAddress(
                IPAddress(high: random.next(), low: random.next()),
                UInt16(truncatingIfNeeded: random.next()))
            var words = try address(destination.address.description)
            let expected = unsafe kmesh_destination_hash(&words, destination.port)
            #expect(DestinationHash.of(destination) == expected, "\(destination)")
        }
    }

    @Test func theTLVIsKmeshs() throws {
        #expect(
            try tlv("10.96.8.1", 80) == [1, 0, 0, 0, 6, 10, 96, 8, 1, 0, 80, 0xfe, 0, 0, 0, 0])
        let long: [UInt8] = [1, 0, 0, 0, 18, 0xfd] + [UInt8](repeating: 0, count: 14) + [1]
        #expect(try tlv("fd00::1", 0x1f90) == long + [0x1f, 0x90, 0xfe, 0, 0, 0, 0])
        #expect(try tlv("::ffff:10.96.8.1", 80).count == Int(KMESH_TLV_V4_SIZE))
        #expect(try tlv("fd00::1", 80).count == Int(KMESH_TLV_V6_SIZE))
        // Only what is mapped is IPv4.
        for text in ["::10.96.8.1", "::fffe:a60:801", "1::ffff:a60:801"] {
            #expect(try tlv(text, 80).count == Int(KMESH_TLV_V6_SIZE), "\(text)")
        }
    }
}
