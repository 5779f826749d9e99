/// Carries changes from the source to the engine, and says what was refused.
internal import KmeshKit
internal import Logging

struct ConfigurationApplier: Sendable {
    private let engine: any DataplaneEngine
    private let source: any ConfigurationSource
    private let record: DaemonRecord
    private let log = Logger(label: "config")

    init(_ engine: any DataplaneEngine, _ source: any ConfigurationSource, _ record: DaemonRecord) {
        self.engine = engine
        self.source = source
        self.record = record
    }

    /// Has the source read for the first time; the changes that follow begin with the whole.
    func begin() async {
        while !Task.isCancelled {
            do throws(ConfigurationError) {
                return try source.begin()
            } catch {
                failed(error)
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Applies every change until the task is cancelled.
    func follow() async {
        while !Task.isCancelled {
            do throws(ConfigurationError) {
                guard let update = try await source.next() else { return }
                await apply(update)
            } catch {
                failed(error)
            }
        }
    }

    private func failed(_ error: ConfigurationError) {
        record.failed(error)
        for problem in error.problems { log.error("\(problem)") }
        log.error("the configuration stays as it was", metadata: ["source": "\(source.name)"])
    }

    func apply(_ update: ConfigurationUpdate) async {
        for note in update.notes { log.info("\(note)") }
        var rejected: [RejectedResource] = []
        for handler in engine.handlers {
            guard let handler = handler as? any ResourceHandler<MeshResource> else { continue }
            rejected += await record.watchdog.watch("a configuration with \(update.changes.count) changes") {
                await handler.apply(update.changes)
            }
        }
        let isFirst = !record.isConfigured
        let isRepaired = record.applied(Set(update.changes.map(\.name)), rejecting: rejected)
        for resource in rejected.prefix(DaemonStatus.recentLimit) { log.error("refused: \(resource)") }
        if rejected.count > DaemonStatus.recentLimit {
            log.error("refused: \(rejected.count - DaemonStatus.recentLimit) resources more")
        }
        let metadata: Logger.Metadata = [
            "changes": "\(update.changes.count)", "refused": "\(rejected.count)",
        ]
        if isRepaired { log.info("the configuration is good again", metadata: ["source": "\(source.name)"]) }
        if isFirst { log.info("the first configuration is in force") }
        log.log(level: update.changes.isEmpty ? .debug : .info, "applied", metadata: metadata)
    }
}
