/// Where a connection was meant to go, by records on the stream, PROXY headers and the option of a SYN.
import KmeshKit
import Testing

@testable import WaypointProxy

func address(_ text: String, _ port: UInt16) -> SocketAddress? {
    IPAddress(text).map { SocketAddress($0, port) }
}

let records4: [UInt8] = [1, 0, 0, 0, 6, 10, 1, 2, 3, 0x1f, 0x90, 0xfe, 0, 0, 0, 0]

func records6(_ address: [UInt8]) -> [UInt8] { [1, 0, 0, 0, 18] + address + [0, 80, 0xfe, 0, 0, 0, 0] }

@Suite struct DestinationRecordsTests {
    @Test func destinationsAreRead() throws {
        try expect(records4, address("10.1.2.3", 8080))
        let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 10, 1, 2, 3]
        try expect(records6(mapped), address("10.1.2.3", 80))
        try expect(records6([0x20, 1] + [UInt8](repeating: 0, count: 13) + [5]), address("2001::5", 80))
    }

    @Test(
        arguments: [
            ([0xfe, 0, 0, 0, 0], .missingDestination), ([0xff, 0, 0, 0, 0], .unknownType),
            ([1, 0, 0, 0, 7], .badLength), ([1, 1], .badLength), ([1, 0, 0, 1, 6], .badLength),
            ([1, 0, 0, 0, 0], .badLength), (Array(records4[..<11]) + [1], .repeatedDestination),
            (Array(records4[..<11]) + [0xff], .unknownType), (Array(records4[..<15]) + [1], .badLength),
            (Array(records4[..<12]) + [9], .badLength),
        ] as [([UInt8], MetadataRefusal)])
    func areRefused(bytes: [UInt8], refusal: MetadataRefusal) {
        #expect(parseDestinationRecords(bytes.span) == .refused(refusal))
        for count in 0..<bytes.count {
            let early = Array(bytes[..<count])
            let verdict = parseDestinationRecords(early.span)
            #expect(verdict == .needMore || verdict == .refused(refusal))
        }
    }

    @Test func othersAreAbsent() {
        for byte in [0, 2, 0x16, 0x47, 0x50, 0xfd] as [UInt8] {
            let bytes = [byte]
            #expect(parseDestinationRecords(bytes.span) == .absent)
        }
    }

    private func expect(_ bytes: [UInt8], _ destination: SocketAddress?) throws {
        let longer = bytes + [71, 69]
        let wanted = RecordsVerdict.complete(try #require(destination), consumed: bytes.count)
        #expect(parseDestinationRecords(longer.span) == wanted)
        for count in 0..<bytes.count {
            let early = Array(bytes[..<count])
            #expect(parseDestinationRecords(early.span) == .needMore)
        }
    }
}

let proxySignature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]
let proxyV4: [UInt8] = proxySignature + [0x21, 0x11, 0, 12, 10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 80]

@Suite struct ProxyProtocolTests {
    @Test(
        arguments: [
            ("PROXY TCP4 1.2.3.4 5.6.7.8 1 65535\r\n", "1.2.3.4", 1, "5.6.7.8", 65535),
            ("PROXY TCP6 ::1 2001:db8::2 0 80\r\n", "::1", 0, "2001:db8::2", 80),
            ("PROXY TCP6 ::ffff:1.2.3.4 ::2 1 2\r\n", "1.2.3.4", 1, "::2", 2),
        ] as [(String, String, UInt16, String, UInt16)])
    func lines(text: String, from: String, port: UInt16, to: String, toPort: UInt16) throws {
        try expect(Array(text.utf8), address(from, port), address(to, toPort))
    }

    @Test func binaryHeaders() throws {
        try expect(proxyV4, address("10.0.0.1", 7), address("10.0.0.2", 80))
        let one = [UInt8](repeating: 0, count: 15) + [1], two = [UInt8](repeating: 0, count: 15) + [2]
        let six: [UInt8] = proxySignature + [0x21, 0x21, 0, 36] + one + two + [0, 7, 0, 80]
        try expect(six, address("::1", 7), address("::2", 80))
        let extended: [UInt8] = proxySignature + [0x21, 0x11, 0, 17] + proxyV4[16...] + [4, 0, 2, 0, 0]
        try expect(extended, address("10.0.0.1", 7), address("10.0.0.2", 80))
        let local: [UInt8] = proxySignature + [0x20, 0x11, 0, 2, 9, 9]
        #expect(parseProxyHeader(local.span) == .local(consumed: 18))
        let unspecified: [UInt8] = proxySignature + [0x21, 0, 0, 0]
        #expect(parseProxyHeader(unspecified.span) == .local(consumed: 16))
        let unknown = Array("PROXY UNKNOWN ffff::1 whatever\r\n".utf8)
        #expect(parseProxyHeader(unknown.span) == .local(consumed: unknown.count))
    }

    /// The checksum was computed by another implementation of CRC32c.
    @Test func checksumIsVerified() throws {
        let start: [UInt8] = proxySignature + [0x21, 0x11, 0, 19] + proxyV4[16...] + [3, 0, 4]
        let good = start + [0x84, 0x13, 0xc3, 0x3f]
        try expect(good, address("10.0.0.1", 7), address("10.0.0.2", 80))
        var bad = good
        bad[17] ^= 1
        #expect(parseProxyHeader(bad.span) == .refused(.badChecksum))
    }

    @Test(
        arguments: [
            ("PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n", .unsupportedFamily), ("PROXY \r\n", .unsupportedFamily),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", .badAddress),
            ("PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n", .badAddress),
            ("PROXY TCP4 ::1 ::1 1 1\r\n", .badAddress), ("PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", .badAddress),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", .badAddress),
            ("PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", .badAddress),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n", .badPort),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", .badPort),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n", .badPort),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", .badSignature),
            ("PROXY UNKNOWN " + String(repeating: "a", count: 100) + "\r\n", .tooLong),
            ("PROXY TCP4 " + String(repeating: "1", count: 100), .tooLong),
        ] as [(String, MetadataRefusal)])
    func linesAreRefused(text: String, refusal: MetadataRefusal) {
        let bytes = Array(text.utf8)
        #expect(parseProxyHeader(bytes.span) == .refused(refusal))
    }

    @Test(
        arguments: [
            ([0x11], .badVersion), ([0x22], .badVersion), ([0x21, 0x12, 0, 12], .unsupportedFamily),
            ([0x21, 0x31, 0, 216], .unsupportedFamily), ([0x21, 0x11, 0, 11], .badLength),
            ([0x21, 0x21, 0, 35], .badLength), ([0x21, 0x11, 0x0f, 0xf1], .tooLong),
            ([0x21, 0x11, 0, 14] + proxyV4[16...] + [4, 0], .badLength),
            ([0x21, 0x11, 0, 15] + proxyV4[16...] + [4, 0, 1], .badLength),
            ([0x21, 0x11, 0, 16] + proxyV4[16...] + [3, 0, 1, 0], .badLength),
        ] as [([UInt8], MetadataRefusal)])
    func binaryIsRefused(bytes: [UInt8], refusal: MetadataRefusal) {
        let whole = proxySignature + bytes
        #expect(parseProxyHeader(whole.span) == .refused(refusal))
    }

    @Test func othersAreAbsent() {
        for text in ["GET / ", "PROXX", "\r\n\r\nG", "\u{16}"] {
            let bytes = Array(text.utf8)
            #expect(parseProxyHeader(bytes.span) == .absent)
        }
    }

    private func expect(_ bytes: [UInt8], _ source: SocketAddress?, _ destination: SocketAddress?) throws {
        let longer = bytes + [71, 69]
        let verdict = parseProxyHeader(longer.span)
        #expect(
            verdict
                == .complete(
                    source: try #require(source), destination: try #require(destination),
                    consumed: bytes.count))
        for count in 0..<bytes.count {
            let early = Array(bytes[..<count])
            #expect(parseProxyHeader(early.span) == .needMore)
        }
    }
}

/// A packet of IPv4 or IPv6 with these TCP options, filled up to whole words.
func syn(_ options: [UInt8], v6: Bool = false, extensions: [UInt8] = [], next: UInt8 = 6) -> [UInt8] {
    let padded = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
    var segment = [UInt8](repeating: 0, count: 20) + padded
    segment[12] = UInt8(segment.count / 4) << 4
    guard v6 else {
        var header = [UInt8](repeating: 0, count: 20)
        (header[0], header[9]) = (0x45, next)
        return header + segment
    }
    var header = [UInt8](repeating: 0, count: 40)
    (header[0], header[6]) = (0x60, next)
    return header + extensions + segment
}

let ourOption: [UInt8] = [253, 11, 0x4b, 0x4d, 0, 10, 0, 0, 9, 0, 80]
let ourShortOption: [UInt8] = [253, 9, 0x4b, 0x4d, 3, 1, 2, 3, 4]

@Suite struct SavedSYNTests {
    private let usual: [UInt8] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7]

    private func parse(_ packet: [UInt8]) -> SYNVerdict { parseSavedSYN(packet.span) }

    @Test func optionsAreRead() throws {
        let wanted = SYNVerdict.destination(try #require(address("10.0.0.9", 80)), recordsFollow: false)
        #expect(parse(syn(usual + ourOption)) == wanted && parse(syn(ourOption + [1] + usual)) == wanted)
        #expect(parse(syn(usual + ourShortOption, v6: true)) == .shortForm(0x0102_0304, recordsFollow: true))
        #expect(
            parse(syn(usual)) == .absent && parse(syn([])) == .absent && parse(syn([], v6: true)) == .absent)
        // Another experiment's option, and ours after the end of the list.
        #expect(parse(syn([253, 4, 0, 1] + [0] + ourOption)) == .absent)
        #expect(parse(syn([253, 2] + ourOption)) == wanted)
        let hops: [UInt8] = [60, 0, 0, 0, 0, 0, 0, 0, 6, 1] + [UInt8](repeating: 0, count: 14)
        let packet = syn(ourShortOption, v6: true, extensions: hops, next: 0)
        #expect(parse(packet) == .shortForm(0x0102_0304, recordsFollow: true))
    }

    @Test(
        arguments: [
            (syn(ourOption + ourOption), .repeatedOption), (syn([253, 4, 0x4b, 0x4d]), .badOption),
            (syn([253, 10, 0x4b, 0x4d, 0, 1, 1, 1, 1, 1]), .badOption),
            (syn([253, 11, 0x4b, 0x4d, 4, 1, 1, 1, 1, 1, 1]), .badOption),
            (syn([253, 11, 0x4b, 0x4d, 2, 1, 1, 1, 1, 1, 1]), .badOption),
            (syn([253, 9, 0x4b, 0x4d, 0, 1, 1, 1, 1]), .badOption),
            (syn([253, 5, 0x4b, 0x4d, 1]), .badOption),
            (syn([253, 12, 0x4b, 0x4d, 0, 1, 1, 1]), .badPacket), (syn([2, 0, 0, 0]), .badPacket),
            (syn([2, 1, 0, 0]), .badPacket), (syn([1, 1, 1, 253]), .badPacket), ([], .badPacket),
            ([0x45], .badPacket), ([0x50], .badPacket), (syn([], next: 17), .badPacket),
            (syn([], v6: true, next: 44), .badPacket),
            (syn([], v6: true, extensions: [0, 255, 0, 0, 0, 0, 0, 0], next: 0), .badPacket),
            (syn([], v6: true, extensions: [UInt8](repeating: 0, count: 72), next: 0), .badPacket),
        ] as [([UInt8], MetadataRefusal)])
    func areRefused(packet: [UInt8], refusal: MetadataRefusal) {
        #expect(parse(packet) == .refused(refusal))
    }

    @Test func cutPacketsAreRefused() {
        let packet = syn(ourOption)
        for count in 0..<packet.count { #expect(parse(Array(packet[..<count])) == .refused(.badPacket)) }
    }
}
