import AuthzXDP
import BPFLoader
import CKmeshABI
import CLinux
import KmeshTestSupport

@testable import KmeshKit

/// The programs of authorization in the kernel, over maps of their own that a test fills.
final class AuthorizationHarness {
    typealias Settings = kmesh_authz_settings

    let xdp: BPFProgram
    let question: BPFProgram
    let lookup: BPFProgram
    let maps: AuthzMaps
    private let chain: FileDescriptor
    private let reasons: BPFCounters

    init(_ change: (inout Settings) -> Void = { _ in }, capacity: Int = 65536) throws {
        let object = try BPFObject(named: "authz")
        var settings = Settings()
        change(&settings)
        try object.set(constants: settings)
        let sized = [
            KMESH_MAP_AUTHZ_SOURCE, KMESH_MAP_AUTHZ_DESTINATION, KMESH_MAP_AUTHZ_VIEW, KMESH_MAP_AUTHZ_BLOCK,
            KMESH_MAP_AUTHZ_BITS, KMESH_MAP_AUTHZ_PREFIX, KMESH_MAP_AUTHZ_TERM, KMESH_MAP_AUTHZ_POLICY,
            KMESH_MAP_AUTHZ_PROBE,
        ]
        for map in sized { try object.setCapacity(of: map, to: capacity) }
        try object.load()
        xdp = BPFProgram(try object.program("kmesh_authz"))
        question = BPFProgram(try object.program("kmesh_authz_ask"))
        lookup = BPFProgram(try object.program("kmesh_authz_lookup"))
        maps = try AuthzMaps { name throws(BPFError) in try object.map(name) }
        chain = try object.map(KMESH_MAP_AUTHZ_CHAIN)
        reasons = try BPFCounters(try object.map(KMESH_MAP_REASON), name: KMESH_MAP_REASON)
    }

    func run(_ packet: [UInt8]) throws -> BPFProgram.Run { try xdp.run(packet: packet) }

    func count(_ reason: VerdictReason) throws -> UInt64 { try reasons.value(of: reason.rawValue) }

    /// There is a policy that allows, and it has no rule.
    func denyEverything(to addresses: [IPAddress]) throws {
        let flags = KMESH_AUTHZ_VIEW_ALLOW.rawValue
        try maps.views.upsert([MapEntry(AuthzIDKey(1), AuthzViewValue(flags: flags, blockIDs: []))])
        try maps.destinations.upsert(
            addresses.map { MapEntry(AuthzAddressKey($0), AuthzDestinationValue(viewID: 1)) })
    }

    /// To a view that does not exist.
    func leadNowhere(_ address: IPAddress) throws {
        try maps.destinations.upsert([MapEntry(AuthzAddressKey(address), AuthzDestinationValue(viewID: 99))])
    }

    /// Takes the programs out of the chain of tail calls.
    func cutChain() throws {
        for step in 0..<UInt32(KMESH_AUTHZ_STEP_MAX.rawValue) {
            let result = unsafe kmesh_bpf_map_delete(chain.number, [step])
            guard result >= 0 else { throw Errno(-result) }
        }
    }
}
