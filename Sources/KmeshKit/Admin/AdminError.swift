/// Why an admin socket cannot be opened or asked. Each text names the socket and the remedy.
public enum AdminError: Error, Hashable, Sendable {
    /// A daemon answers at this socket.
    case alreadyServed(path: String)
    /// The path is taken by a file that is not a socket; it is left alone.
    case notASocket(path: String)
    case cannotListen(path: String, errno: Errno)
    case notRunning(path: String)
    case notPermitted(path: String, group: String)
    case cannotConnect(path: String, errno: Errno)
    case timedOut(path: String)
    case connectionLost(path: String)
    case unreadableAnswer(path: String, problem: String)
}

extension AdminError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .alreadyServed(let path):
            "another daemon serves \(path); end it first, or give this one another --admin-socket"
        case .notASocket(let path):
            "\(path) is not a socket; remove it, or give another --admin-socket"
        case .cannotListen(let path, let errno):
            "cannot listen at \(path): \(errno)"
        case .notRunning(let path):
            "no daemon answers at \(path); start kmesh-daemon, or name its socket with --admin-socket"
        case .notPermitted(let path, let group):
            "no permission for \(path); become root or a member of group \(group)"
        case .cannotConnect(let path, let errno):
            "cannot connect to \(path): \(errno)"
        case .timedOut(let path):
            "the daemon at \(path) did not answer in time"
        case .connectionLost(let path):
            "the daemon at \(path) ended the connection before it answered"
        case .unreadableAnswer(let path, let problem):
            "the daemon at \(path) answered something else than this program reads: \(problem)"
        }
    }
}
