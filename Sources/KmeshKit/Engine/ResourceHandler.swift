/// Applies one type of resource to a data plane. What it returns is not in force, and becomes the NACK.
public protocol ResourceHandler<Resource>: Sendable {
    associatedtype Resource: Sendable

    /// Applies `changes` as one step: together they lead from one whole configuration to the next.
    /// A rejected resource leaves what ran before it in force, and the others are applied.
    func apply(_ changes: [ResourceChange<Resource>]) async -> [RejectedResource]
}

public enum ResourceChange<Resource: Sendable>: Sendable {
    case upsert(Resource)
    case remove(MeshResourceName)
}

extension ResourceChange<MeshResource> {
    public var name: MeshResourceName {
        switch self {
        case .upsert(let resource): resource.name
        case .remove(let name): name
        }
    }
}

extension ResourceChange: Equatable where Resource: Equatable {}

public struct RejectedResource: Hashable, Sendable, CustomStringConvertible {
    public let name: MeshResourceName
    public let reason: String

    public init(name: MeshResourceName, reason: String) {
        self.name = name
        self.reason = reason
    }

    public var description: String { "\(name): \(reason)" }
}
