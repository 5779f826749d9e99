internal import CKmeshABI
internal import KmeshKit

/// A frame that asks for a connection, for asking the program what it makes of it.
enum SYNFrame {
    /// Both addresses are of one family. Checksums are left out, as the program does not look at them.
    static func bytes(_ query: AuthorizationQuery) -> [UInt8] {
        let source = addressBytes(query.source), destination = addressBytes(query.destination)
        let isV4 = query.source.isV4
        var frame = [UInt8](repeating: 0, count: 12) + (isV4 ? [0x08, 0x00] : [0x86, 0xdd])
        if isV4 {
            frame += [0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0] + source + destination
        } else {
            frame += [0x60, 0, 0, 0, 0, 20, 6, 64] + source + destination
        }
        frame += bigEndian(ephemeralPort) + bigEndian(query.port) + [UInt8](repeating: 0, count: 8)
        return frame + [5 << 4, 0x02, 0xff, 0xff, 0, 0, 0, 0]
    }

    private static let ephemeralPort: UInt16 = 40000

    private static func addressBytes(_ address: IPAddress) -> [UInt8] {
        let all = [address.high, address.low].flatMap { half in
            (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
        return address.isV4 ? Array(all.suffix(4)) : all
    }

    private static func bigEndian(_ value: UInt16) -> [UInt8] {
        [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]
    }
}

/// `struct kmesh_authz_answer`: what the program says of such a frame.
struct ProgramAnswer: Sendable {
    let reason: VerdictReason?
    let isAllowed: Bool
    /// 0: no single one.
    let policyID: UInt32

    init(_ packet: [UInt8]) {
        let word = { (index: Int) in
            packet.dropFirst(4 * index).prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        reason = VerdictReason(rawValue: word(0))
        isAllowed = word(1) != 0
        policyID = word(2)
    }
}
