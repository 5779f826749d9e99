public import KmeshKit

/// What an engine adds to steering at L4: maps of its own, filled from the same resources. Its engine makes
/// one call at a time.
public protocol SteeringLayer: Sendable {
    /// What could not be as the options ask for, in sentences for the log, at the start.
    var notes: [String] { get }

    /// What people should know who ask whether the engine is ready; `nil` where nothing is missing. Asked for
    /// about once a second.
    var readinessNote: String? { get }

    /// The clusters that entries of an earlier run lead to, with their ids.
    var adoptedClusters: [ClusterDigest: UInt32] { get }

    /// Takes note of `changes` before L4 applies them, and tells `dataplane` which clusters there shall be.
    /// Nothing is written yet. Returns what L4 shall apply beside them.
    mutating func prepare(
        _ changes: [ResourceChange<MeshResource>], _ dataplane: inout L4Dataplane
    ) -> [ResourceChange<MeshResource>]

    /// Whose a resource is that L4 refuses: one of `prepare`'s stands for another.
    func origin(of name: MeshResourceName) -> MeshResourceName

    /// Whether its programs were better loaded anew. Asked for about once a second.
    var wantsReload: Bool { get }

    /// The programs were loaded anew, over the same maps; `fresh` was made with them.
    mutating func adapt(to fresh: any SteeringLayer)

    /// Writes what was noted, and leads to the service ports that are in force now: see
    /// `L4Dataplane.Referral`. One update may make several calls. What does not fit is refused by
    /// `rejections`; only what another try may write is thrown, for it holds back what L4 removes.
    mutating func refer(to dataplane: L4Dataplane, renumbered: Set<ServiceKey>) throws(MapError)

    /// Of the resources that `changes` name, those that are not in force as they want it.
    func rejections(of changes: [ResourceChange<MeshResource>]) -> [RejectedResource]

    /// Writes, what waits and why. As long as something does, `refer` is called again each second. Durations
    /// are measured by the engine, drift is counted by it.
    var activity: EngineActivity { get }

    /// Looks at a part of its maps, and repairs what somebody else has changed. About once a second.
    mutating func repairDrift(_ dataplane: L4Dataplane) -> DriftReport

    /// Does what else is to be done about once a second.
    mutating func tend(_ dataplane: L4Dataplane)

    /// Adds what is in force.
    func describe(in snapshot: inout EngineSnapshot)

    /// Compares its maps with what is wanted.
    func verify(_ dataplane: L4Dataplane) throws(MapError) -> [Difference]

    /// The resources that only the layer keeps, as they were given, in no order.
    var configuration: [MeshResource] { get }

    func dumpableMaps(_ dataplane: L4Dataplane) -> [DumpableMap]

    /// Entries of those of its maps that user space fills: others are counted in the kernel.
    var entriesByMap: [String: Int] { get }

    /// What it measures beside the engine's reasons, maps and programs at hooks.
    func meters() -> EngineMeters

    /// The engine ends. With `keepPinned` its programs go on.
    mutating func end(_ disposition: StopDisposition)
}

extension SteeringLayer {
    public var notes: [String] { [] }
    public func origin(of name: MeshResourceName) -> MeshResourceName { name }
    public var wantsReload: Bool { false }
    public mutating func adapt(to fresh: any SteeringLayer) {}
    public var readinessNote: String? { nil }
    public var adoptedClusters: [ClusterDigest: UInt32] { [:] }
    public mutating func repairDrift(_ dataplane: L4Dataplane) -> DriftReport { DriftReport() }
    public mutating func tend(_ dataplane: L4Dataplane) {}
    public func describe(in snapshot: inout EngineSnapshot) {}
    public func verify(_ dataplane: L4Dataplane) throws(MapError) -> [Difference] { [] }
    public var configuration: [MeshResource] { [] }
    public func dumpableMaps(_ dataplane: L4Dataplane) -> [DumpableMap] { [] }
    public var entriesByMap: [String: Int] { [:] }
    public func meters() -> EngineMeters { EngineMeters() }
    public mutating func end(_ disposition: StopDisposition) {}
}
