/// Why a question about authorization has no answer. Each text names the object and the remedy.
public enum ExplanationError: Error, Hashable, Sendable {
    case unknownPod(PodName)
    case notEnrolled(String)
    case noCommonFamily(source: String, destination: String)
    case engine(EngineError)
}

extension ExplanationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownPod(let pod):
            "the mesh has no pod \(pod) with an address; give namespace/name of one that runs, or an address"
        case .notEnrolled(let destination):
            "\(destination) is not enrolled on this node: nothing is enforced for it here; "
                + "`kmeshctl authz status` lists those that are"
        case .noCommonFamily(let source, let destination):
            "\(source) and \(destination) have no addresses of one family"
        case .engine(let error): "\(error)"
        }
    }
}
