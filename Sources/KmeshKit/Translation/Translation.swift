/// One object that a source added, changed or took away.
public enum ObjectChange: Sendable {
    case upsert(Kubernetes.Object, Kubernetes.Origin)
    case remove(Kubernetes.ObjectKey)

    var key: Kubernetes.ObjectKey {
        switch self {
        case .upsert(let object, _): object.key
        case .remove(let key): key
        }
    }
}

/// What one step of objects means to the mesh.
public struct Translation: Sendable {
    /// Each resource at most once.
    public var changes: [ResourceChange<MeshResource>] = []
    public var warnings: [ObjectWarning] = []
}

/// Something of an object that has no effect here.
public struct ObjectWarning: Hashable, Sendable, CustomStringConvertible {
    public var object: Kubernetes.ObjectKey
    public var origin: Kubernetes.Origin
    public var message: String

    public var description: String { "\(object) \(message)" }
}

/// Objects that cannot all be true at once. Names them and the remedy.
public struct TranslationError: Error, Hashable, Sendable, CustomStringConvertible {
    public var object: Kubernetes.ObjectKey
    public var origin: Kubernetes.Origin
    public var message: String

    public var description: String { "\(object): \(message)" }
}
