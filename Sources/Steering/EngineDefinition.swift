public import BPFLoader
public import KmeshKit

/// What tells one steering engine from another.
public struct EngineDefinition: Sendable {
    let mode: EngineMode
    let object: String
    let pins: String
    let migration: LayoutMigration
    let hooks: [CgroupHook]
    let reasons: [VerdictReason]
    let counts: Bool
    let others: [String]
    let afterRemoval: (@Sendable (EngineOptions) async -> Void)?
    let makeLoader: (@Sendable (EngineOptions) -> any SteeringLayerLoader)?

    /// - Parameters:
    ///   - object: the name of the embedded BPF object. For each hook it has a program `kmesh_<hook>`.
    ///   - pins: what the names of the engine's pin directories begin with.
    ///   - migration: leads to the layout of the object's maps.
    ///   - hooks: where the engine has programs.
    ///   - reasons: what the object's programs count.
    ///   - counts: whether its programs count connections, which limits and some policies need.
    ///   - others: what the names of other engines' pin directories begin with. They go when this one steers.
    ///   - afterRemoval: is done when all that the engine had in the kernel is gone.
    ///   - makeLoader: makes the loader of what the engine has beyond steering at L4; `nil`: nothing.
    public init(
        mode: EngineMode, object: String, pins: String, migration: LayoutMigration,
        hooks: [CgroupHook] = CgroupHook.steering, reasons: [VerdictReason] = VerdictReason.steering,
        counts: Bool = false, others: [String] = [],
        afterRemoval: (@Sendable (EngineOptions) async -> Void)? = nil,
        makeLoader: (@Sendable (EngineOptions) -> any SteeringLayerLoader)? = nil
    ) {
        self.mode = mode
        self.object = object
        self.pins = pins
        self.migration = migration
        self.hooks = hooks
        self.reasons = reasons
        self.counts = counts
        self.others = others
        self.afterRemoval = afterRemoval
        self.makeLoader = makeLoader
    }

    /// The names of the programs that go to the hooks.
    var programs: [CgroupHook: String] {
        Dictionary(uniqueKeysWithValues: hooks.map { ($0, "kmesh_\($0.name)") })
    }

    func layouts(_ options: EngineOptions) -> PinLayouts {
        PinLayouts(root: options.bpfFileSystemPath, part: pins, current: migration.current)
    }
}
