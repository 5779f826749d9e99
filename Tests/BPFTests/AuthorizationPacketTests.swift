/// What the XDP program makes of packets of every form, towards a workload that nobody may connect to.
import AuthzXDP
import CKmeshABI
import Foundation
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: loads BPF programs"))
final class AuthorizationPacketTests {
    private static let client4 = SocketAddress(testAddress("10.1.0.9"), 40000)
    private static let server4 = SocketAddress(testAddress("10.1.0.1"), 80)
    private static let client6 = SocketAddress(testAddress("fd00::9"), 40000)
    private static let server6 = SocketAddress(testAddress("fd00::1"), 80)

    private enum Verdict: UInt32 {
        case aborted = 0, drop, pass, transmit
    }

    private static var syns: [String: TestPacket] {
        let v4 = TestPacket(from: client4, to: server4), v6 = TestPacket(from: client6, to: server6)
        var syns = ["IPv4": v4, "IPv6": v6]
        func add(_ name: String, _ base: TestPacket, _ change: (inout TestPacket) -> Void) {
            var packet = base
            change(&packet)
            syns[name] = packet
        }
        add("data", v4) { $0.payload = Array("hello".utf8) }
        add("IPv4 options", v4) { $0.options = [7, 7, 4, 0, 0, 0, 0, 0] }
        add("most IPv4 options", v4) { $0.options = [UInt8](repeating: 1, count: 40) }
        add("VLAN", v4) { $0.vlanTags = [5] }
        add("two VLANs", v6) { $0.vlanTags = [5, 6] }
        add("hop by hop", v6) { $0.extensions = [(0, [0, 0, 1, 4, 0, 0, 0, 0])] }
        add("AH and destination options", v6) {
            $0.extensions = [
                (51, [0, 4] + [UInt8](repeating: 0, count: 22)),
                (60, [0, 1] + [UInt8](repeating: 0, count: 14)),
            ]
        }
        add("first fragment of IPv4", v4) { $0.fragment = (0, true) }
        add("first fragment of IPv6", v6) { $0.fragment = (0, true) }
        add("SYN and FIN", v4) { $0.flags = 0x03 }
        add("SYN and ECN", v6) { $0.flags = 0xc2 }
        return syns
    }

    private func harness(
        _ change: (inout AuthorizationHarness.Settings) -> Void = { _ in }
    ) throws -> AuthorizationHarness {
        let harness = try AuthorizationHarness(change)
        try harness.denyEverything(to: [Self.server4.address, Self.server6.address])
        return harness
    }

    @Test func everyFormOfASynIsDenied() throws {
        let harness = try harness()
        for (name, packet) in Self.syns {
            #expect(try harness.run(packet.bytes).result == Verdict.drop.rawValue, "\(name)")
        }
        #expect(try harness.count(.notAllowed) == UInt64(Self.syns.count))
    }

    @Test func whatIsNoNewConnectionPasses() throws {
        let harness = try harness()
        var packet = TestPacket(from: Self.client4, to: Self.server4)
        for flags in [0x10, 0x12, 0x18, 0x04, 0x11, 0x14, 0x00] as [UInt8] {
            packet.flags = flags
            #expect(try harness.run(packet.bytes).result == Verdict.pass.rawValue, "flags \(flags)")
        }
        #expect(try harness.count(.malformed) == 0)
        packet.isUDP = true
        #expect(try harness.run(packet.bytes).result == Verdict.pass.rawValue)
        #expect(try harness.count(.udpPassed) == 1)
        let arp = [UInt8](repeating: 0xff, count: 12) + [0x08, 0x06] + [UInt8](repeating: 0, count: 28)
        #expect(try harness.run(arp).result == Verdict.pass.rawValue)
    }

    @Test func fragmentsCannotHideAFlag() throws {
        let harness = try harness()
        for (source, destination) in [(Self.client4, Self.server4), (Self.client6, Self.server6)] {
            var packet = TestPacket(from: source, to: destination)
            packet.fragment = (185, false)
            #expect(try harness.run(packet.bytes).result == Verdict.pass.rawValue, "a later fragment")
            packet.fragment = (1, true)
            #expect(
                try harness.run(packet.bytes).result == Verdict.drop.rawValue, "one that covers the flags")
            packet.fragment = (0, true)
            packet.flags = 0x10
            let header = packet.bytes.count - 24
            #expect(try harness.run(Array(packet.bytes.prefix(header + 8))).result == Verdict.drop.rawValue)
            // What IP says is eight bytes shows no flags either, though more bytes are there.
            var padded = packet.bytes
            let lengthAt = source.address.isV4 ? 17 : 19
            padded[lengthAt] = UInt8(source.address.isV4 ? 28 : 16)
            #expect(try harness.run(padded).result == Verdict.drop.rawValue, "padding is not a header")
        }
        #expect(try harness.count(.fragmentPassed) == 2)
    }

    @Test func aThirdTagAndEndlessExtensionsAreRefused() throws {
        let harness = try harness()
        var tagged = TestPacket(from: Self.client4, to: Self.server4)
        tagged.vlanTags = [1, 2, 3]
        #expect(try harness.run(tagged.bytes).result == Verdict.drop.rawValue)
        var long = TestPacket(from: Self.client6, to: Self.server6)
        long.extensions = Array(repeating: (60, [0, 0, 1, 4, 0, 0, 0, 0]), count: 9)
        #expect(try harness.run(long.bytes).result == Verdict.drop.rawValue)
        #expect(try harness.count(.malformed) == 2)
    }

    /// The kernel drops such a source too: it would pass for an IPv4 address.
    @Test func mappedAddressesOnAWireAreRefused() throws {
        let harness = try harness()
        let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 10, 1, 0, 9]
        for offset in [22, 38] {
            var bytes = TestPacket(from: Self.client6, to: Self.server6).bytes
            bytes.replaceSubrange(offset..<(offset + 16), with: mapped)
            #expect(try harness.run(bytes).result == Verdict.drop.rawValue)
        }
        #expect(try harness.count(.malformed) == 2)
    }

    @Test func strangersGetNoReset() throws {
        let harness = try harness { $0.deny = KMESH_AUTHZ_RESET.rawValue }
        let packet = TestPacket(from: Self.client4, to: SocketAddress(testAddress("10.1.0.77"), 80))
        #expect(try harness.run(packet.bytes).result == Verdict.drop.rawValue)
    }

    @Test func everyTruncationIsKeptOut() throws {
        let harness = try harness()
        for (name, packet) in Self.syns {
            let bytes = packet.bytes
            for length in 14..<bytes.count {
                let result = try harness.run(Array(bytes.prefix(length))).result
                // Cut within the Ethernet and VLAN headers, no protocol is known that a host would accept.
                let isNothing = length < packet.networkOffset
                #expect(
                    result == Verdict.drop.rawValue || (isNothing && result == Verdict.pass.rawValue),
                    "\(name) cut to \(length): \(result)")
            }
        }
    }

    @Test func aResetAnswersWhereOneCan() throws {
        let harness = try harness { $0.deny = KMESH_AUTHZ_RESET.rawValue }
        for (name, packet) in Self.syns {
            let run = try harness.run(packet.bytes)
            let isPlain = packet.options.isEmpty && packet.extensions.isEmpty && packet.fragment == nil
            #expect(run.result == (isPlain ? Verdict.transmit : .drop).rawValue, "\(name)")
            if isPlain { expectReset(run.packet, of: packet, name) }
        }
        var partial = TestPacket(from: Self.client4, to: Self.server4)
        partial.hasPartialChecksum = true
        let reset = try harness.run(partial.bytes).packet
        #expect(reset.count == 54)
        #expect(checksum(ofTransport: reset, partial) == 0xffff, "the interface completes the sum")
    }

    private func expectReset(_ reset: [UInt8], of syn: TestPacket, _ name: String) {
        let ip = syn.networkOffset, tcp = ip + (syn.isV4 ? 20 : 40)
        #expect(reset.count == tcp + 20, "\(name)")
        guard reset.count == tcp + 20 else { return }
        let original = syn.bytes
        #expect(
            Array(reset[0..<6]) == Array(original[6..<12]) && Array(reset[6..<12]) == Array(original[0..<6]))
        let addresses = syn.isV4 ? (ip + 12, 4) : (ip + 8, 16)
        for swap in [(0, 1), (1, 0)] {
            let to = addresses.0 + swap.0 * addresses.1, from = addresses.0 + swap.1 * addresses.1
            #expect(
                Array(reset[to..<(to + addresses.1)]) == Array(original[from..<(from + addresses.1)]),
                "\(name)")
        }
        #expect(
            Array(reset[tcp..<(tcp + 4)])
                == Array(original[(tcp + 2)..<(tcp + 4)] + original[tcp..<(tcp + 2)]))
        let length = UInt32(syn.payload.count) + 1 + (syn.flags & 1 == 1 ? 1 : 0)
        let acknowledged = reset[(tcp + 8)..<(tcp + 12)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        #expect(acknowledged == syn.sequence + length, "\(name)")
        #expect(reset[tcp + 13] == 0x14, "\(name)")
        if syn.isV4 { #expect(TestPacket.checksum(reset[ip..<(ip + 20)]) == 0, "\(name)") }
        #expect(checksum(ofTransport: reset, syn) == 0, "\(name)")
    }

    /// 0 for a right full checksum; the complement of all that follows the pseudo header's sum otherwise.
    private func checksum(ofTransport packet: [UInt8], _ syn: TestPacket) -> UInt16 {
        let ip = syn.networkOffset, tcp = ip + (syn.isV4 ? 20 : 40)
        let addresses = syn.isV4 ? packet[(ip + 12)..<(ip + 20)] : packet[(ip + 8)..<(ip + 40)]
        let pseudo = Array(addresses) + [0, 6, 0, 20]
        if syn.hasPartialChecksum {
            let sum = UInt16(packet[tcp + 16]) << 8 | UInt16(packet[tcp + 17])
            return sum ^ TestPacket.checksum(pseudo)
        }
        return TestPacket.checksum(pseudo + packet[tcp...])
    }

    @Test func faultsOfOursAreDecidedByTheDefault() throws {
        let packet = TestPacket(from: Self.client4, to: SocketAddress(testAddress("10.1.0.77"), 80))
        for (isAllowed, verdict) in [(UInt32(0), Verdict.drop), (1, .pass)] {
            let harness = try AuthorizationHarness { $0.default_allow = isAllowed }
            #expect(try harness.run(packet.bytes).result == verdict.rawValue)
            #expect(try harness.count(.noDestination) == 1)
            try harness.leadNowhere(packet.destination.address)
            #expect(try harness.run(packet.bytes).result == verdict.rawValue)
            #expect(try harness.count(.noView) == 1)
            try harness.cutChain()
            #expect(try harness.run(packet.bytes).result == verdict.rawValue)
            #expect(try harness.count(.missedTailCall) == 1)
        }
    }
}
