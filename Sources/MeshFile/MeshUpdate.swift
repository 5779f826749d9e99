/// One step from a whole configuration to the next.
public import KmeshKit

public struct MeshUpdate: Sendable {
    /// What changed, each resource at most once. Empty when only objects without effect changed.
    public var changes: [ResourceChange<MeshResource>]
    /// `file:line: Kind namespace/name what`, of the objects that are new or changed.
    public var warnings: [String]
    /// How many objects of kinds that mean nothing here there are now.
    public var skippedKinds: [String: Int]
    public var fileCount: Int
    public var objectCount: Int
}

public enum MeshFileEvent: Sendable {
    case update(MeshUpdate)
    /// The files as they are now cannot be taken; the last update still holds.
    case failed(MeshFileError)
}

public struct MeshFileOptions: Hashable, Sendable {
    public var clusterDomain = "cluster.local"
    /// Where policies are that are for the whole mesh.
    public var rootNamespace = "istio-system"
    /// Takes files that leave the mesh without any object.
    public var allowEmpty = false
    /// How long changes are gathered before they are read.
    public var debounce = Duration.milliseconds(2)
    /// How long a file that was moved away may take to come back, as editors write.
    public var moveGrace = Duration.milliseconds(20)

    public init() {}
}
