/// Why the proxy cannot start.
public import KmeshKit

public enum ProxyError: Error, Hashable, Sendable, CustomStringConvertible {
    case cannotListen(SocketAddress, Errno)
    case cannotStart(what: String, Errno)
    case tooFewDescriptors(limit: Int, needed: Int)

    public var description: String {
        switch self {
        case .cannotListen(let address, let error):
            "cannot listen on \(address): \(error); stop what listens there or choose another port"
        case .cannotStart(let what, let error): "cannot make \(what): \(error)"
        case .tooFewDescriptors(let limit, let needed):
            "the process may open \(limit) files and needs \(needed): raise RLIMIT_NOFILE (ulimit -n)"
        }
    }
}
