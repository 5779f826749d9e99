/// Random and damaged packets: the program never lets one in that a host would take for a forbidden SYN.
import AuthzXDP
import Foundation
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: loads BPF programs"))
final class AuthorizationFuzzTests {
    private static let server4 = testAddress("10.1.0.1"), server6 = testAddress("fd00::1")

    @Test func noDamagedSYNIsLetIn() throws {
        let harness = try AuthorizationHarness()
        try harness.denyEverything(to: [Self.server4, Self.server6])
        let iterations =
            ProcessInfo.processInfo.environment["KMESH_FUZZ_ITERATIONS"].flatMap { Int($0) }
            .map { $0 / 4 } ?? 40_000
        var chance = SplitMix64(seed: UInt64(iterations))
        var syns = 0
        for iteration in 0..<iterations {
            let bytes = Self.packet(&chance)
            let result = try harness.run(bytes).result
            #expect(result == 1 || result == 2, "iteration \(iteration): \(result) for \(bytes)")
            guard let destination = destinationOfSYN(bytes),
                [Self.server4, Self.server6].contains(destination)
            else { continue }
            syns += 1
            #expect(result == 1, "iteration \(iteration): let in \(bytes)")
        }
        #expect(syns > iterations / 20, "only \(syns) of \(iterations) packets were SYNs")
    }

    /// A SYN of some form with some of its bytes changed, or noise.
    private static func packet(_ chance: inout SplitMix64) -> [UInt8] {
        let isV4 = Bool.random(using: &chance)
        var packet = TestPacket(
            from: SocketAddress(testAddress(isV4 ? "10.1.0.9" : "fd00::9"), 40000),
            to: SocketAddress(isV4 ? server4 : server6, 80))
        if Int.random(in: 0..<4, using: &chance) == 0 {
            packet.vlanTags = [1, 2, 3].prefix(Int.random(in: 1...3, using: &chance)).map { $0 }
        }
        if isV4, Bool.random(using: &chance) {
            packet.options = [UInt8](repeating: 1, count: 4 * Int.random(in: 0...10, using: &chance))
        }
        if !isV4 {
            for _ in 0..<Int.random(in: 0...3, using: &chance) {
                let units = Int.random(in: 0...2, using: &chance)
                let type = [0, 43, 60, 51][Int.random(in: 0..<4, using: &chance)]
                let length = type == 51 ? UInt8(units * 2) : UInt8(units)
                packet.extensions.append(
                    (UInt8(type), [0, length] + [UInt8](repeating: 0, count: 6 + 8 * units)))
            }
        }
        if Int.random(in: 0..<5, using: &chance) == 0 {
            packet.fragment = (
                [0, 0, 1, 2, 100][Int.random(in: 0..<5, using: &chance)], Bool.random(using: &chance)
            )
        }
        var bytes = packet.bytes
        for _ in 0..<Int.random(in: 0...3, using: &chance) {
            let index = Int.random(in: 12..<bytes.count, using: &chance)
            bytes[index] = UInt8.random(in: 0...255, using: &chance)
        }
        if Int.random(in: 0..<4, using: &chance) == 0 {
            bytes = Array(bytes.prefix(max(14, Int.random(in: 14...bytes.count, using: &chance))))
        }
        if Int.random(in: 0..<20, using: &chance) == 0 {
            bytes = (0..<Int.random(in: 14...200, using: &chance)).map { _ in
                UInt8.random(in: 0...255, using: &chance)
            }
        }
        return bytes
    }

    // MARK: What a host would see, read plainly

    /// Whom the packet asks for a new connection; `nil` when it does not, or when its flags are not in it.
    private func destinationOfSYN(_ bytes: [UInt8]) -> IPAddress? {
        var rest = bytes[12...]
        var type = number(rest.popFirst(), rest.popFirst())
        var tags = 0
        while type == 0x8100 || type == 0x88a8, tags < 2 {
            guard rest.count >= 4 else { return nil }
            rest = rest.dropFirst(2)
            type = number(rest.popFirst(), rest.popFirst())
            tags += 1
        }
        switch type {
        case 0x0800: return destination4(rest)
        case 0x86dd: return destination6(rest)
        default: return nil
        }
    }

    private func destination4(_ packet: ArraySlice<UInt8>) -> IPAddress? {
        let bytes = Array(packet)
        guard bytes.count >= 20, bytes[0] >> 4 == 4, bytes[0] & 15 >= 5, bytes[9] == 6 else { return nil }
        let length = Int(bytes[0] & 15) * 4
        let total = Int(bytes[2]) << 8 | Int(bytes[3])
        guard number(bytes[6], bytes[7]) & 0x1fff == 0 else { return nil }
        let end = total == 0 ? bytes.count : min(total, bytes.count)
        guard end >= length + 20, isSYN(bytes, at: length) else { return nil }
        return IPAddress(v4: bytes[16..<20].reduce(0) { $0 << 8 | UInt32($1) })
    }

    private func destination6(_ packet: ArraySlice<UInt8>) -> IPAddress? {
        let bytes = Array(packet)
        guard bytes.count >= 40, bytes[0] >> 4 == 6 else { return nil }
        let payload = Int(bytes[4]) << 8 | Int(bytes[5])
        let end = payload == 0 ? bytes.count : min(40 + payload, bytes.count)
        var next = bytes[6], offset = 40
        while [0, 43, 60, 51, 44].contains(next) {
            guard end >= offset + 8 else { return nil }
            if next == 44, number(bytes[offset + 2], bytes[offset + 3]) >> 3 != 0 { return nil }
            let size =
                next == 51 ? 8 + 4 * Int(bytes[offset + 1]) : next == 44 ? 8 : 8 + 8 * Int(bytes[offset + 1])
            next = bytes[offset]
            offset += size
        }
        guard next == 6, end >= offset + 20, isSYN(bytes, at: offset) else { return nil }
        let half = { (first: Int) in bytes[first..<(first + 8)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        return IPAddress(high: half(24), low: half(32))
    }

    private func isSYN(_ bytes: [UInt8], at offset: Int) -> Bool {
        bytes[offset + 13] & 0x12 == 0x02
    }

    private func number(_ high: UInt8?, _ low: UInt8?) -> UInt16 { UInt16(high ?? 0) << 8 | UInt16(low ?? 0) }
}
