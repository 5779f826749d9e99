/// The daemon's state directory: one daemon at a time, and what `uninstall` removes.
public import KmeshKit
internal import Telemetry

enum DaemonState {
    /// Held as long as a daemon runs; freed by the kernel when it dies.
    static func lock(_ directory: String) throws(DaemonError) -> FileLock {
        do throws(Errno) {
            try Files.makeDirectories(directory)
        } catch {
            throw .stateDirectoryUnusable(path: directory, errno: error)
        }
        let path = "\(directory)/daemon.lock"
        do throws(FileLock.Failure) {
            return try FileLock.take(path)
        } catch {
            switch error {
            case .held(let pid): throw .alreadyRunning(pid: pid, lock: path)
            case .unusable(let errno): throw .stateDirectoryUnusable(path: directory, errno: errno)
            }
        }
    }
}

extension Daemon {
    /// Removes everything that daemons left in the kernel and in the state directory. Refused while one runs.
    /// - Parameter options: where telemetry has its pins.
    public static func uninstall(
        stateDirectory: String, engines: [any DataplaneEngine], telemetry options: EngineOptions? = nil
    ) async throws(DaemonError) {
        let lock = try DaemonState.lock(stateDirectory)
        for engine in engines {
            do throws(EngineError) {
                try await engine.stop(.removeAll)
            } catch {
                throw .engine(error)
            }
        }
        do throws(EngineError) {
            if let options { try ConnectionTelemetry.uninstall(options) }
        } catch {
            throw .engine(error)
        }
        WaitingEnrollments(stateDirectory: stateDirectory).removeAll()
        for name in ["enrolled.json", "enrolled.json.damaged", "enrolled.json.tmp", "kmesh.sock"] {
            do throws(Errno) {
                try Files.remove("\(stateDirectory)/\(name)")
            } catch {
                throw .stateDirectoryUnusable(path: "\(stateDirectory)/\(name)", errno: error)
            }
        }
        lock.release()
    }
}
