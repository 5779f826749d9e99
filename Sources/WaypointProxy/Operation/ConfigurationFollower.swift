/// Carries changes from the source to the workers. A configuration that cannot be read leaves the old one.
internal import KmeshKit
internal import Logging

struct ConfigurationFollower: Sendable {
    let source: any ConfigurationSource
    let proxy: WaypointProxy
    let record: OperationRecord
    private let log = Logger(label: "config")

    init(_ source: any ConfigurationSource, _ proxy: WaypointProxy, _ record: OperationRecord) {
        self.source = source
        self.proxy = proxy
        self.record = record
    }

    /// Applies every change until the task is cancelled.
    func follow(_ builder: consuming ConfigurationBuilder) async {
        while !Task.isCancelled {
            do throws(ConfigurationError) {
                guard let update = try await source.next() else { return }
                for note in update.notes { log.warning("\(note)") }
                if !update.changes.isEmpty { proxy.replace(builder.apply(update.changes)) }
                for fault in builder.faults { log.error("a route never matches: \(fault)") }
                if record.applied() {
                    log.info("the configuration is good again", metadata: ["source": "\(source.name)"])
                }
                log.log(
                    level: update.changes.isEmpty ? .debug : .info, "applied",
                    metadata: ["changes": "\(update.changes.count)", "version": "\(builder.version)"])
            } catch {
                record.failed(error)
                for problem in error.problems { log.error("\(problem)") }
                log.error("the configuration stays as it was", metadata: ["source": "\(source.name)"])
            }
        }
    }
}
