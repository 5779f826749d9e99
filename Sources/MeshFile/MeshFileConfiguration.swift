/// Mesh files as a program's source of configuration.
public import KmeshKit
internal import Synchronization

public final class MeshFileConfiguration: ConfigurationSource {
    public let name: String
    private let options: MeshFileOptions
    private let source = Mutex<MeshFileSource?>(nil)

    public init(_ path: String, options: MeshFileOptions) {
        name = path
        self.options = options
    }

    public func start() async throws(ConfigurationError) -> ConfigurationUpdate {
        do throws(MeshFileError) {
            let (opened, first) = try await MeshFileSource.open(name, options: options)
            source.withLock { $0 = opened }
            return ConfigurationUpdate(first)
        } catch {
            throw ConfigurationError(["\(error)"])
        }
    }

    public func begin() throws(ConfigurationError) {
        do throws(MeshFileError) {
            let opened = try MeshFileSource.watch(name, options: options)
            source.withLock { $0 = opened }
        } catch {
            throw ConfigurationError(["\(error)"])
        }
    }

    public func next() async throws(ConfigurationError) -> ConfigurationUpdate? {
        guard let opened = source.withLock({ $0 }) else { return nil }
        switch await opened.next() {
        case .update(let update): return ConfigurationUpdate(update)
        case .failed(let error): throw ConfigurationError(["\(error)"])
        case nil: return nil
        }
    }

    public func reload() {
        source.withLock { $0 }?.reload()
    }
}

extension ConfigurationUpdate {
    fileprivate init(_ update: MeshUpdate) {
        self.init(changes: update.changes, notes: update.warnings)
    }
}
