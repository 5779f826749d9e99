import BPFLoader
import CKmeshABI
import Glibc

@testable import KmeshKit

/// The L4 lookup in the kernel, over maps of its own that a test fills.
final class LookupHarness {
    let program: BPFProgram
    let maps: L4Maps
    let affinities: BPFMap<AffinityKey, AffinityValue>

    /// - Parameter capacity: of the maps; `nil` for those of the data plane.
    init(capacity: Int? = 1024) throws {
        let object = try testObject("l4_lookup_test")
        for map in object.mapNames where map != "km_reason" && map != "km_table" {
            if let capacity { try object.setCapacity(of: map, to: capacity) }
        }
        try object.load()
        program = BPFProgram(try object.program("lookup"))
        maps = L4Maps(
            frontends: try BPFMap(try object.map("km_frontend"), name: "km_frontend"),
            services: try BPFMap(try object.map("km_service"), name: "km_service"),
            slots: try BPFMap(try object.map("km_slot"), name: "km_slot"),
            tables: try BPFMap(try object.map("km_table"), name: "km_table"),
            endpoints: try BPFMap(try object.map("km_endpoint"), name: "km_endpoint"),
            waypoints: try BPFMap(try object.map("km_waypoint"), name: "km_waypoint"))
        affinities = try BPFMap(try object.map("km_affinity"), name: "km_affinity")
    }

    struct Verdict: Equatable {
        var reason: UInt32
        var isRedirected = false
        var serviceID: UInt32
        var endpoint: IPAddress
        var port: UInt16
    }

    /// What the kernel decides for a client that dials a frontend: a `struct kmesh_lookup_case` in and out.
    func look(
        up frontend: FrontendKey, client: IPAddress = IPAddress(v4: 0x0a00_0001), socketCookie: UInt64 = 0
    ) throws -> Verdict {
        var words: [UInt32] = []
        frontend.append(to: &words)
        client.append(to: &words)
        words += [
            0, UInt32(truncatingIfNeeded: socketCookie), UInt32(truncatingIfNeeded: socketCookie >> 32),
        ]
        words += [UInt32](repeating: 0, count: 12)
        let packet = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        let run = try program.run(packet: packet)
        guard run.result == 2 else { throw Errno(EINVAL) }
        var out = [UInt32](repeating: 0, count: run.packet.count / 4)
        for (index, byte) in run.packet.enumerated() { out[index / 4] |= UInt32(byte) << (8 * (index % 4)) }
        return Verdict(
            reason: out[21], isRedirected: out[20] == 1, serviceID: out[12],
            endpoint: IPAddress(words: out[14..<18]),
            port: UInt16(truncatingIfNeeded: out[18]))
    }
}

/// `struct kmesh_affinity_key`.
struct AffinityKey: MapWords {
    var client: IPAddress
    var serviceID: UInt32

    static var wordCount: Int { 5 }
    func append(to words: inout [UInt32]) {
        client.append(to: &words)
        words.append(serviceID)
    }
}

extension AffinityKey {
    init(words: ArraySlice<UInt32>) {
        self.init(client: IPAddress(words: words.prefix(4)), serviceID: words[words.startIndex + 4])
    }
}

/// `struct kmesh_affinity`.
struct AffinityValue: MapWords {
    var endpointID: UInt32
    var lastUsed: UInt32

    static var wordCount: Int { 2 }
    static var isSealed: Bool { true }
    func append(to words: inout [UInt32]) { words += [endpointID, lastUsed] }
}

extension AffinityValue {
    init(words: ArraySlice<UInt32>) {
        self.init(endpointID: words[words.startIndex], lastUsed: words[words.startIndex + 1])
    }
}
