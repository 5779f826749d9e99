/// One file with Envoy's listeners, routes and clusters as a program's source of configuration, watched.
///
/// A file that cannot be taken leaves the configuration as it was, until it is repaired.
internal import Glibc
public import KmeshKit
internal import Synchronization

public final class EnvoyFileConfiguration: ConfigurationSource {
    private struct State {
        var watch: EnvoyFileWatch?
        var inForce: [MeshResourceName: MeshResource] = [:]
        var lastFailure: ConfigurationError?
        /// Somebody asked, or nothing was ever told.
        var mustReport = true
    }

    /// What a reading found.
    private enum Reading {
        case resources([MeshResource])
        case failed(ConfigurationError)
        /// Somebody writes to it.
        case torn
    }

    /// For how long the first reading waits for a writer.
    private static let patience = 20

    public let name: String
    private let allowsEmpty: Bool
    private let state = Mutex(State())

    /// - Parameter allowsEmpty: takes a change that leaves nothing of the configuration.
    public init(_ path: String, allowsEmpty: Bool = false) {
        name = path
        self.allowsEmpty = allowsEmpty
    }

    deinit { state.withLock { $0.watch?.close() } }

    public func start() async throws(ConfigurationError) -> ConfigurationUpdate {
        try begin()
        for _ in 0..<Self.patience {
            switch await read() {
            case .resources(let resources): return take(resources) ?? ConfigurationUpdate(changes: [])
            case .failed(let error): throw error
            case .torn: try? await Task.sleep(for: .milliseconds(100))
            }
            if Task.isCancelled { throw ConfigurationError(["\(name): loading was cancelled"]) }
        }
        throw ConfigurationError(["\(name): somebody keeps writing to it: let them end first"])
    }

    public func begin() throws(ConfigurationError) {
        do throws(Errno) {
            let watch = try EnvoyFileWatch.start(name)
            watch.signalNow()
            state.withLock { $0.watch = watch }
        } catch {
            throw ConfigurationError(["\(name): cannot watch: \(error)"])
        }
    }

    public func next() async throws(ConfigurationError) -> ConfigurationUpdate? {
        guard let watch = state.withLock({ $0.watch }) else { return nil }
        for await _ in watch.signals {
            switch await read() {
            case .torn: watch.signalLater()
            case .failed(let error):
                // The same failure again is news only when somebody asked.
                let isNews = state.withLock { state in
                    defer { (state.lastFailure, state.mustReport) = (error, false) }
                    return state.mustReport || state.lastFailure != error
                }
                if isNews { throw error }
            case .resources(let resources):
                if let update = take(resources) { return update }
            }
        }
        return nil
    }

    public func reload() {
        let watch = state.withLock { state in
            state.mustReport = true
            return state.watch
        }
        watch?.signalNow()
    }

    // MARK: Reading

    /// Off the threads that tasks share, as a large file takes its time.
    private func read() async -> Reading {
        let path = name
        let found = try? await DedicatedThread.run("envoy-read") { Self.read(path) }
        if case .resources(let resources)? = found, resources.isEmpty, !allowsEmpty,
            !state.withLock({ $0.inForce.isEmpty })
        {
            return .failed(
                ConfigurationError([
                    "\(path): no listener, route or cluster: it would be empty; pass --allow-empty "
                        + "if that is meant"
                ]))
        }
        return found ?? .failed(ConfigurationError(["\(path): cannot be read: no thread can be started"]))
    }

    private static func read(_ path: String) -> Reading {
        let bytes: [UInt8]
        do throws(Errno) {
            let file = try FileDescriptor.openRegular(path)
            bytes = try file.readAll(limit: StaticDocument.sizeLimit)
            if file.hasWriters == true { return .torn }
        } catch {
            return .failed(ConfigurationError(["\(path): \(Self.reason(error))"]))
        }
        do throws(ConfigurationError) {
            return .resources(try StaticDocument.read(bytes))
        } catch {
            return .failed(ConfigurationError(error.problems.map { "\(path): \($0)" }))
        }
    }

    private static func reason(_ error: Errno) -> String {
        if error == .noEntry { return "is not there: put it back" }
        if error == .invalid { return "is no regular file: name one" }
        if error == Errno(EFBIG) { return "has more than \(StaticDocument.sizeLimit) bytes: split the mesh" }
        return "cannot be read: \(error)"
    }

    /// The step from what is in force; `nil` when there is nothing to tell.
    private func take(_ resources: [MeshResource]) -> ConfigurationUpdate? {
        var new: [MeshResourceName: MeshResource] = [:]
        for resource in resources { new[resource.name] = resource }
        return state.withLock { state in
            let old = state.inForce
            var changes: [ResourceChange<MeshResource>] = []
            for resource in resources where old[resource.name] != resource {
                changes.append(.upsert(resource))
            }
            let gone = old.keys.filter { new[$0] == nil }
            changes += gone.sorted { $0.description < $1.description }.map { .remove($0) }
            // That a refused file is repaired is news too.
            let isNews = state.mustReport || state.lastFailure != nil || !changes.isEmpty
            state.inForce = new
            (state.lastFailure, state.mustReport) = (nil, false)
            return isNews ? ConfigurationUpdate(changes: changes) : nil
        }
    }
}
