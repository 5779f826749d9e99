internal import BPFLoader
internal import CKmeshABI
public import KmeshKit

/// The programs and maps of authorization in the kernel: adopted from the pins of an earlier run, or made and
/// pinned.
struct AuthzKernel: Sendable {
    let maps: AuthzMaps
    /// Whether the maps are those of an earlier run.
    let isAdopted: Bool
    let pins: PinDirectory
    /// What is attached to pods that policies protect.
    let program: SharedDescriptor
    let question: SharedDescriptor
    let events: SharedDescriptor
    private let chain: SharedDescriptor
    let chainSteps: BPFMapKeys
    let pace: BPFMapKeys
    private let state: BPFMap<AuthzIDKey, AuthzSwitchValue>
    let reasons: BPFCounters
    private let memory: [MapMemory]

    init(_ options: EngineOptions) throws(BPFError) {
        try Self.layouts(options).refuseNewer()
        pins = try Self.layouts(options).pins()
        let object = try BPFObject(named: "authz")
        try object.set(constants: options.authorization.constants)
        isAdopted = pins.exists
        if isAdopted { try object.adoptMaps(from: pins, except: Self.fresh) }
        let isXDP = options.authorization.hook == .xdp
        let (name, other) =
            isXDP ? ("kmesh_authz", "kmesh_authz_lookup") : ("kmesh_authz_lookup", "kmesh_authz")
        try object.leaveOut(program: other)
        try object.load()
        if !isAdopted { try object.pinMaps(in: pins) }
        maps = try AuthzMaps { name throws(BPFError) in try object.map(name) }
        program = SharedDescriptor(try object.program(name))
        question = SharedDescriptor(try object.program("kmesh_authz_ask"))
        chain = SharedDescriptor(try object.map(KMESH_MAP_AUTHZ_CHAIN))
        chainSteps = try BPFMapKeys(chain, name: KMESH_MAP_AUTHZ_CHAIN)
        pace = try BPFMapKeys(
            SharedDescriptor(try object.map(KMESH_MAP_AUTHZ_PACE)), name: KMESH_MAP_AUTHZ_PACE)
        events = SharedDescriptor(try object.map(KMESH_MAP_AUTHZ_EVENT))
        state = try BPFMap(try object.map(KMESH_MAP_AUTHZ_SWITCH), name: KMESH_MAP_AUTHZ_SWITCH)
        reasons = try BPFCounters(try object.map(KMESH_MAP_REASON), name: KMESH_MAP_REASON)
        memory = try object.mapMemories()
    }

    /// Made anew with the programs: the chain of tail calls, and what is of one packet or one second.
    private static let fresh: Set<String> = [
        KMESH_MAP_AUTHZ_CHAIN, KMESH_MAP_AUTHZ_FLOW, KMESH_MAP_AUTHZ_PACE,
    ]

    static func layouts(_ options: EngineOptions) -> PinLayouts {
        PinLayouts(
            root: options.bpfFileSystemPath, part: "authz", current: UInt32(KMESH_AUTHZ_LAYOUT_VERSION))
    }

    /// Keeps the new chain of tail calls by its pin, which programs alone do not, and lets the one before go
    /// when `work` has put the new programs into the place of those that walk it.
    func takeOver(_ work: () throws(BPFError) -> Void) throws(BPFError) {
        guard isAdopted else { return try work() }
        try pins.replace(chain.file, as: KMESH_MAP_AUTHZ_CHAIN, after: work)
    }

    // MARK: The switch

    func isEnforcing() throws(MapError) -> Bool { try state.value(of: AuthzIDKey(0))?.isOff != true }

    func setEnforcing(_ isEnforcing: Bool) throws(MapError) {
        try state.upsert([MapEntry(AuthzIDKey(0), AuthzSwitchValue(isOff: !isEnforcing))])
    }

    // MARK: Counters

    /// Every reason with its count; what cannot be read is left out.
    func reasonCounts() -> [ReasonCount] {
        VerdictReason.authorization.compactMap { reason in
            guard let count = try? reasons.value(of: reason.rawValue) else { return nil }
            return ReasonCount(number: reason.rawValue, name: reason.name, count: count)
        }
    }

    /// - Parameter counts: entries of the maps that user space fills, by name.
    func mapSnapshots(counts: [String: Int]) -> [MapSnapshot] {
        memory.map { $0.snapshot(entries: counts[$0.name]) }
    }
}

/// `struct kmesh_authz_switch`.
struct AuthzSwitchValue: MapWords {
    var isOff: Bool

    static var wordCount: Int { 1 }
    func append(to words: inout [UInt32]) { words.append(isOff ? 1 : 0) }
}

extension AuthzSwitchValue {
    init(words: ArraySlice<UInt32>) {
        isOff = words[words.startIndex] != 0
    }
}

extension AuthorizationOptions {
    var constants: kmesh_authz_settings {
        kmesh_authz_settings(
            default_allow: defaultVerdict == .allow ? 1 : 0,
            deny: denial == .reset ? KMESH_AUTHZ_RESET.rawValue : KMESH_AUTHZ_DROP.rawValue,
            probes_pass: letsProbesPass ? 1 : 0)
    }
}

extension AuthzMaps {
    /// - Parameter map: the descriptor of the map with a name.
    public init(_ map: (String) throws(BPFError) -> FileDescriptor) throws(BPFError) {
        func open<Key, Value>(_ name: String) throws(BPFError) -> BPFMap<Key, Value> {
            try BPFMap(try map(name), name: name)
        }
        self.init(
            sources: try open(KMESH_MAP_AUTHZ_SOURCE), destinations: try open(KMESH_MAP_AUTHZ_DESTINATION),
            views: try open(KMESH_MAP_AUTHZ_VIEW), blocks: try open(KMESH_MAP_AUTHZ_BLOCK),
            bits: try open(KMESH_MAP_AUTHZ_BITS), prefixes: try open(KMESH_MAP_AUTHZ_PREFIX),
            terms: try open(KMESH_MAP_AUTHZ_TERM), policies: try open(KMESH_MAP_AUTHZ_POLICY),
            probes: try open(KMESH_MAP_AUTHZ_PROBE))
    }
}
