import Testing

@testable import KmeshKit

@Suite struct NetlinkMessageTests {
    @Test func requestsAreReadBack() throws {
        var message = NetlinkMessage(type: 16, flags: 5, sequence: 7, body: [1, 2, 3, 4])
        message.add(3, "eth0")
        message.add(4, UInt32(42))
        message.nest(18) { $0.add(1, IPAddress(v4: 0x0a00_0001)) }
        let reply = try #require(NetlinkReply.split(message.finished())?.first)
        #expect(reply.type == 16 && reply.flags == 5 && reply.sequence == 7)
        let attributes = try #require(NetlinkAttribute.split(reply.payload.dropFirst(4)))
        #expect(attributes.map(\.type) == [3, 4, 18])
        #expect(attributes[0].text == "eth0")
        #expect(attributes[1].number == 42)
        #expect(
            try #require(NetlinkAttribute.split(attributes[2].value)).first?.address?.description
                == "10.0.0.1")
    }

    @Test(arguments: [
        [UInt8](repeating: 0, count: 16),  // A length of zero would never end.
        [15, 0, 0, 0] + [UInt8](repeating: 0, count: 12),  // Shorter than its header.
        [17, 0, 0, 0] + [UInt8](repeating: 0, count: 12),  // Longer than what is there.
        [255, 255, 255, 255] + [UInt8](repeating: 0, count: 12),
        [16, 0, 0],
    ])
    func badLengthsAreRefused(bytes: [UInt8]) {
        #expect(NetlinkReply.split(bytes) == nil)
    }

    @Test func badAttributeLengthsAreRefused() {
        for bytes: [UInt8] in [
            [0, 0, 1, 0], [3, 0, 1, 0], [9, 0, 1, 0, 1, 2, 3, 4], [4, 0], [255, 255, 0, 0],
        ] {
            #expect(NetlinkAttribute.split(bytes[...]) == nil)
        }
        #expect(NetlinkAttribute.split([4, 0, 1, 0])?.count == 1)
    }

    @Test func hostileBytesEndInAnAnswer() {
        var generator = SplitMix64(seed: 0x6b6d_6573_6800_0001)
        for _ in 0..<20_000 {
            var message = NetlinkMessage(type: 2, flags: 0x300, sequence: 1, body: [0, 0, 0, 0])
            message.nest(2) { $0.add(1, "text") }
            var bytes = message.finished()
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[position] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            for reply in NetlinkReply.split(bytes) ?? [] {
                #expect(reply.payload.count <= bytes.count)
                _ = reply.explanation
                for attribute in NetlinkAttribute.split(reply.payload) ?? [] { _ = attribute.address }
            }
        }
    }

    @Test func addressesHaveTheirFamilysLength() {
        #expect(IPAddress(v4: 0x0102_0304).networkBytes == [1, 2, 3, 4])
        #expect(IPAddress("fd00::1")?.networkBytes.count == 16)
        #expect(IPAddress(networkBytes: [1, 2, 3]) == nil)
        #expect(IPAddress(networkBytes: IPAddress("fd00::7")?.networkBytes ?? [])?.description == "fd00::7")
    }
}
