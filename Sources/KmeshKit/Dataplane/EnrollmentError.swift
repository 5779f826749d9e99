/// Why a workload cannot be enrolled or withdrawn. Each text names the object and the remedy.
public enum EnrollmentError: Error, Hashable, Sendable {
    /// A text of the request that is empty, too long or not printable.
    case invalid(field: String, problem: String)
    case namespaceUnreadable(path: String, errno: Errno)
    case notANetworkNamespace(path: String)
    case hostNetwork(pod: PodName, path: String)
    case namespaceTaken(path: String, pod: PodName, by: PodName)
    case noAddress(pod: PodName, interface: String, path: String)
    case full(capacity: Int)
    case notEnrolled(String)
    case stateNotSaved(path: String, errno: Errno)
    case engine(pod: PodName, EngineError)
}

extension EnrollmentError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalid(let field, let problem):
            "\(field) \(problem)"
        case .namespaceUnreadable(let path, let errno):
            "cannot enter network namespace \(path): \(errno)"
        case .notANetworkNamespace(let path):
            "\(path) is not a network namespace; give /run/netns/NAME or /proc/PID/ns/net"
        case .hostNetwork(let pod, let path):
            "pod \(pod) cannot be enrolled: \(path) is the host's network namespace, "
                + "and enrolling it would steer every program of this machine"
        case .namespaceTaken(let path, let pod, let other):
            "pod \(pod) cannot be enrolled: \(path) is the network namespace of pod \(other); "
                + "withdraw that one first"
        case .noAddress(let pod, let interface, let path):
            "pod \(pod) has no address: interface \(interface) in \(path) has none that others can reach; "
                + "give --address or another --interface"
        case .full(let capacity):
            "\(capacity) workloads are enrolled, which is the limit; withdraw some"
        case .notEnrolled(let name):
            "\(name) is not enrolled; `kmeshctl dump enrolled` lists those that are"
        case .stateNotSaved(let path, let errno):
            "cannot write \(path): \(errno)"
        case .engine(let pod, let error):
            "pod \(pod): \(error)"
        }
    }
}
