/// Takes the state directory from a daemon that runs: it is asked to end, and made to when it does not.
internal import KmeshKit
internal import Logging

struct Takeover: Sendable {
    /// How long the other daemon may take to let go.
    static let patience = Duration.seconds(10)
    /// How long the kernel may take to end a process.
    private static let killPatience = Duration.seconds(5)

    private let socket: String
    private let lock: String
    private let log = Logger(label: "takeover")

    init(adminSocket: String, lock: String) {
        socket = adminSocket
        self.lock = lock
    }

    private enum Answer {
        case ends
        /// It answers, but does not know what is asked, as an earlier build.
        case refuses(String)
        case isSilent(String)
    }

    /// What the other daemon steers goes on in any case: it is safe to kill at every instant.
    func take(from holder: String) async throws(DaemonError) -> FileLock {
        let end = ContinuousClock.now + Self.patience
        log.info("taking over", metadata: ["pid": "\(holder)"])
        var waits = true
        switch await ask() {
        case .ends: break
        case .refuses(let reason):
            log.warning("the running daemon does not hand over: \(reason)", metadata: ["pid": "\(holder)"])
            waits = false
        case .isSilent(let reason):
            log.warning("the running daemon cannot be asked: \(reason)", metadata: ["pid": "\(holder)"])
        }
        if let lock = try await poll(until: waits ? end : .now) { return lock }
        try kill(holder)
        if let lock = try await poll(until: .now + Self.killPatience) { return lock }
        throw .notTakenOver(pid: holder, lock: lock, detail: "it was killed, and the lock is held still")
    }

    private func ask() async -> Answer {
        let (socket, seconds) = (socket, Int(Self.patience.components.seconds))
        let answer = try? await DedicatedThread.run("kmesh-takeover") {
            do throws(AdminError) {
                let client = AdminClient(path: socket, timeout: seconds)
                return Result<AdminResponse, AdminError>.success(try client.ask(.handOver).response)
            } catch {
                return .failure(error)
            }
        }
        return switch answer {
        case .success(.handingOver): .ends
        case .success(.error(let failure)): .refuses(failure.message)
        case .success: .refuses("it answered something else")
        case .failure(let error): .isSilent("\(error)")
        case nil: .isSilent("no thread could be started")
        }
    }

    private func poll(until end: ContinuousClock.Instant) async throws(DaemonError) -> FileLock? {
        while true {
            do throws(FileLock.Failure) {
                return try FileLock.take(lock)
            } catch {
                if case .unusable(let errno) = error {
                    throw .stateDirectoryUnusable(path: lock, errno: errno)
                }
            }
            guard ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(20))) != nil else {
                return nil
            }
        }
    }

    private func kill(_ holder: String) throws(DaemonError) {
        guard let pid = Int32(holder), pid != ProcessIdentity.pid else {
            throw .notTakenOver(pid: holder, lock: lock, detail: "its process is not known")
        }
        let isHolder: Bool
        do throws(Errno) {
            let process = try OtherProcess(id: pid)
            // What the file says may be of a process that has ended, or of another pid namespace.
            isHolder = process.hasOpen(lock)
            if isHolder {
                log.warning("killing the running daemon: it did not end", metadata: ["pid": "\(pid)"])
                try process.kill()
            }
        } catch {
            guard error != .noProcess else { return }
            throw .notTakenOver(pid: holder, lock: lock, detail: "it cannot be killed: \(error)")
        }
        guard isHolder else {
            throw .notTakenOver(pid: holder, lock: lock, detail: "process \(pid) is not the one that does")
        }
    }
}
