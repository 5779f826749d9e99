public import BPFLoader
public import KmeshKit

/// What tells one steering engine from another.
public struct EngineDefinition: Sendable {
    let mode: EngineMode
    let object: String
    let pins: String
    let migration: LayoutMigration
    let hooks: [CgroupHook]

    /// - Parameters:
    ///   - object: the name of the embedded BPF object. For each hook it has a program `kmesh_<hook>`.
    ///   - pins: what the names of the engine's pin directories begin with.
    ///   - migration: leads to the layout of the object's maps.
    ///   - hooks: where the engine has programs.
    public init(
        mode: EngineMode, object: String, pins: String, migration: LayoutMigration,
        hooks: [CgroupHook] = CgroupHook.steering
    ) {
        self.mode = mode
        self.object = object
        self.pins = pins
        self.migration = migration
        self.hooks = hooks
    }

    var layout: UInt32 { migration.current }

    func layouts(_ options: EngineOptions) -> PinLayouts {
        PinLayouts(root: options.bpfFileSystemPath, part: pins, current: layout)
    }
}
