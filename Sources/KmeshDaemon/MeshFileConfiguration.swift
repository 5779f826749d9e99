/// Mesh files as the daemon's source of configuration.
internal import KmeshKit
internal import MeshFile
internal import Synchronization

final class MeshFileConfiguration: ConfigurationSource {
    let name: String
    private let options: MeshFileOptions
    private let source = Mutex<MeshFileSource?>(nil)

    init(_ path: String, options: MeshFileOptions) {
        name = path
        self.options = options
    }

    func start() async throws(ConfigurationError) -> ConfigurationUpdate {
        do throws(MeshFileError) {
            let (opened, first) = try await MeshFileSource.open(name, options: options)
            source.withLock { $0 = opened }
            return ConfigurationUpdate(first)
        } catch {
            throw ConfigurationError(["\(error)"])
        }
    }

    func next() async throws(ConfigurationError) -> ConfigurationUpdate? {
        guard let opened = source.withLock({ $0 }) else { return nil }
        switch await opened.next() {
        case .update(let update): return ConfigurationUpdate(update)
        case .failed(let error): throw ConfigurationError(["\(error)"])
        case nil: return nil
        }
    }

    func reload() {
        source.withLock { $0 }?.reload()
    }
}

extension ConfigurationUpdate {
    fileprivate init(_ update: MeshUpdate) {
        self.init(changes: update.changes, notes: update.warnings)
    }
}
