/// The new process's part of a hot upgrade.
internal import KmeshKit
internal import Logging
internal import Synchronization

final class Takeover: Sendable {
    private final class Predecessor: Sendable {
        let socket: HandoverSocket

        init(_ socket: consuming HandoverSocket) { self.socket = socket }
    }

    private struct State {
        var predecessor: Predecessor?
        var sockets: [String: [Int32]] = [:]
    }

    /// Seconds for each message of the predecessor.
    private static let patience = 10

    private let path: String
    private let state: Mutex<State>
    private let log = Logger(label: "upgrade")

    private init(_ path: String, _ predecessor: Predecessor?, _ sockets: [String: [Int32]]) {
        self.path = path
        state = Mutex(State(predecessor: predecessor, sockets: sockets))
    }

    deinit { closeUnused() }

    /// Asks who runs at `path` for its sockets. Without a path, or when nobody is there, there are none.
    static func begin(_ path: String?) async throws(WaypointError) -> Takeover {
        guard let path else { return Takeover("", nil, [:]) }
        let result: Result<Takeover, WaypointError>
        do throws(Errno) {
            result = try await DedicatedThread.run("kmesh-upgrade") { () throws(Errno) in
                try ask(path)
            }
        } catch {
            throw .upgradeSocketUnusable(path: path, error)
        }
        return try result.get()
    }

    private static func ask(_ path: String) throws(Errno) -> Result<Takeover, WaypointError> {
        let connection: HandoverSocket
        do throws(Errno) {
            connection = try HandoverSocket.connect(path, timeout: patience)
        } catch let error where error == .noEntry || error == .connectionRefused {
            return .success(Takeover(path, nil, [:]))
        }
        var sockets: [String: [Int32]] = [:]
        do throws(Errno) {
            try connection.send(UpgradeMessage.hello.text)
            while let message = try connection.receive() {
                switch UpgradeMessage(message.text) {
                case .listener(let key): sockets[key, default: []] += message.descriptors
                case .end: return .success(Takeover(path, Predecessor(connection), sockets))
                case .refused(let reason): return .failure(.upgradeRefused(path: path, reason: reason))
                default:
                    closeDescriptors(message.descriptors)
                    closeDescriptors(sockets.values.flatMap { $0 })
                    return .failure(
                        .upgradeRefused(path: path, reason: "it says '\(message.text.prefix(40))'"))
                }
            }
        } catch {
            closeDescriptors(sockets.values.flatMap { $0 })
            if error == .brokenPipe || error == .connectionReset {
                return .success(Takeover(path, nil, [:]))
            }
            throw error
        }
        // It died while it spoke: there is nobody to take over from.
        closeDescriptors(sockets.values.flatMap { $0 })
        return .success(Takeover(path, nil, [:]))
    }

    /// The sockets under `key`; they are the caller's.
    func take(_ key: String) -> [Int32] {
        state.withLock { $0.sockets.removeValue(forKey: key) ?? [] }
    }

    /// What nobody listens at any more.
    func closeUnused() {
        let rest = state.withLock { state in
            defer { state.sockets = [:] }
            return state.sockets.values.flatMap { $0 }
        }
        closeDescriptors(rest)
    }

    /// Accepts here; the predecessor stops. It may be dead: then there is nobody to stop.
    func takeOver() async throws(WaypointError) {
        let isOver = await exchange { connection throws(Errno) in
            try connection.send(UpgradeMessage.ready.text)
            guard let answer = try connection.receive() else { return }
            closeDescriptors(answer.descriptors)
        }
        if let isOver { log.notice("took over", metadata: ["from": "\(path)", "predecessor": "\(isOver)"]) }
    }

    /// From here on the predecessor ends.
    func settle() async {
        _ = await exchange { connection throws(Errno) in try connection.send(UpgradeMessage.settled.text) }
        state.withLock { $0.predecessor = nil }
    }

    /// What became of it; `nil` when there is no predecessor.
    private func exchange(
        _ step: @escaping @Sendable (borrowing HandoverSocket) throws(Errno) -> Void
    ) async -> String? {
        guard let predecessor = state.withLock({ $0.predecessor }) else { return nil }
        do throws(Errno) {
            try await DedicatedThread.run("kmesh-upgrade") { () throws(Errno) in
                try step(predecessor.socket)
            }
            return "drains"
        } catch {
            return "gone: \(error)"
        }
    }
}
