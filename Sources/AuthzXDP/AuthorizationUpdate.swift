public import KmeshKit

/// What a change has come to.
public struct AuthorizationUpdate: Sendable {
    /// What is not in force, and leaves what ran before it in force.
    public internal(set) var rejected: [RejectedResource] = []
    /// Entries that were written or removed.
    public internal(set) var writes = 0
    /// Addresses of enrolled workloads that other policies protect now: connections that were let in by the
    /// old ones may have to end.
    public internal(set) var destinations: [IPAddress] = []
    /// Addresses that somebody else is behind now.
    public internal(set) var sources: [IPAddress] = []
}

/// Why a workload cannot be protected.
public enum AuthorizationError: Error, Hashable, Sendable, CustomStringConvertible {
    case noRoom(pod: PodName, reason: String)
    case map(MapError)

    public var description: String {
        switch self {
        case .noRoom(let pod, let reason): "cannot protect pod \(pod): it \(reason)"
        case .map(let error): "\(error)"
        }
    }
}
