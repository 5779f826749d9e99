// Hot upgrade: the listening sockets themselves go to a new process, with the connections that wait in them.
//
// new → old  hello            Who are you?
// old → new  listener <key>   with sockets; several messages for many
// old → new  end              That is all; or `refused <reason>`.
// new → old  ready            I accept.
// old → new  yielded          I do not any more, but could.
// new → old  settled          Finish and end.
//
// Until `settled` the old process goes back to accepting when the new one is gone; afterwards the new one is
// alone. When the old one dies at any step, the new one has the sockets, or finds none and makes its own.

internal import KmeshKit

enum UpgradeMessage: Equatable {
    case hello, end, ready, yielded, settled
    case listener(key: String)
    case refused(reason: String)

    static let version = 1
    /// Under which the status server's socket goes.
    static func statusKey(_ address: SocketAddress) -> String { "status \(address)" }

    var text: String {
        switch self {
        case .hello: "hello \(Self.version)"
        case .end: "end"
        case .ready: "ready"
        case .yielded: "yielded"
        case .settled: "settled"
        case .listener(let key): "listener \(key)"
        case .refused(let reason): "refused \(reason.prefix(200))"
        }
    }

    init?(_ text: String) {
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        switch (parts.first, parts.dropFirst().first) {
        case ("hello", "\(Self.version)"): self = .hello
        case ("end", nil): self = .end
        case ("ready", nil): self = .ready
        case ("yielded", nil): self = .yielded
        case ("settled", nil): self = .settled
        case ("listener", let key?): self = .listener(key: key)
        case ("refused", let reason?): self = .refused(reason: reason)
        default: return nil
        }
    }
}

/// Listening sockets and where they listen.
struct SharedSockets: Sendable {
    let key: String
    let sockets: [Int32]
}
