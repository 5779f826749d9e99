import BPFLoader
import Glibc
import Testing

@testable import KmeshKit

/// Runs of programs without a network, by BPF_PROG_TEST_RUN.
@Suite(.enabled(if: Privileges.isRoot, "needs root: loads BPF programs"))
struct ProgramRunTests {
    /// What `run_test.bpf.c` noted of an sk_lookup run.
    struct Seen: MapWords {
        var words: [UInt32]

        static var wordCount: Int { 14 }
        func append(to words: inout [UInt32]) { words += self.words }
        init(words: ArraySlice<UInt32>) { self.words = Array(words) }
    }

    private func object() throws -> BPFObject {
        let object = try testObject("run_test")
        try object.load()
        return object
    }

    @Test func aPacketComesBackInTheSizeThatItWasGiven() throws {
        let object = try object()
        let packet = (0..<100).map { UInt8($0) }
        let cut = try BPFProgram(try object.program("shrink")).run(packet: packet)
        #expect(cut.result == 3)
        #expect(cut.packet == Array(packet.prefix(60)))
        let grown = try BPFProgram(try object.program("grow")).run(packet: packet)
        #expect(grown.result == 1)
        #expect(grown.packet == packet + [UInt8](repeating: 0, count: 40))
    }

    @Test func repetitionsGoOnWithThePacket() throws {
        let object = try object()
        let program = BPFProgram(try object.program("shrink"))
        let packet = [UInt8](repeating: 7, count: 200)
        #expect(try program.run(packet: packet, repetitions: 3).packet.count == 80)
    }

    @Test func aPacketShorterThanItsHeaderIsRefused() throws {
        let object = try object()
        let program = BPFProgram(try object.program("grow"))
        let packet = [UInt8](repeating: 7, count: 13)
        #expect(throws: BPFError.failed("run a program", .invalid)) { _ = try program.run(packet: packet) }
    }

    @Test(arguments: [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")])
    func aLookupSaysWhoDialsWhat(remote: String, local: String) throws {
        let object = try object()
        let program = BPFProgram(try object.program("note"))
        let seen = try BPFMap<Word, Seen>(try object.map("test_seen"), name: "test_seen")
        let remote = try #require(IPAddress(remote)), local = try #require(IPAddress(local))
        let run = try program.run(
            lookupFrom: SocketAddress(remote, 40000), to: SocketAddress(local, 80), repetitions: 100)
        #expect(run.passes)
        let words = try #require(try seen.value(of: 0)).words
        #expect(words[0] == UInt32(remote.isV4 ? AF_INET : AF_INET6) && words[1] == UInt32(IPPROTO_TCP))
        #expect(words[2] == (remote.isV4 ? remote.v4Bits.bigEndian : 0))
        #expect(words[3] == (local.isV4 ? local.v4Bits.bigEndian : 0))
        let none = IPAddress(high: 0, low: 0)
        #expect(IPAddress(words: words[4..<8]) == (remote.isV4 ? none : remote))
        #expect(IPAddress(words: words[8..<12]) == (local.isV4 ? none : local))
        #expect(words[12] == 40000 && words[13] == 80)
        let refused = try program.run(
            lookupFrom: SocketAddress(remote, 40000), to: SocketAddress(local, 81))
        #expect(!refused.passes)
    }
}
