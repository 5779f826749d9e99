internal import KmeshKit

/// Everything that is counted of connections.
public struct ConnectionMetrics: Sendable {
    /// Where the connections of one kind are counted.
    struct Handles: Sendable {
        var workload: SeriesTable<ConnectionCounts>.Handle?
        var service: SeriesTable<ConnectionCounts>.Handle
        var destination: SeriesTable<DestinationHistograms>.Handle
    }

    struct DestinationHistograms: Sendable {
        /// Seconds that connections lasted.
        var duration = Histogram()
        /// Seconds of the smoothed round trip at their end.
        var roundTrip = Histogram()
    }

    private let options: TelemetryOptions
    private(set) var workloads: SeriesTable<ConnectionCounts>
    private(set) var services: SeriesTable<ConnectionCounts>
    private(set) var destinations: SeriesTable<DestinationHistograms>
    /// Connections that are missing.
    var losses: UInt64 = 0
    /// Lines of the access log that are missing.
    var droppedLines: UInt64 = 0

    init(_ options: TelemetryOptions) {
        self.options = options
        workloads = SeriesTable(limit: options.seriesLimit, initial: ConnectionCounts())
        services = SeriesTable(limit: options.seriesLimit, initial: ConnectionCounts())
        destinations = SeriesTable(limit: options.seriesLimit, initial: DestinationHistograms())
    }

    mutating func handles(for record: ConnectionRecord, _ parties: ConnectionParties) -> Handles {
        let labels = ConnectionLabels(record, parties, cluster: options.cluster)
        let uids = Set([parties.source?.uid, parties.destination?.uid].compactMap { $0 })
        return Handles(
            workload: options.hasWorkloadSeries
                ? workloads.handle(for: labels.ofWorkload(), of: uids) : nil,
            service: services.handle(for: labels.ofService(), of: uids),
            destination: destinations.handle(for: labels.ofDestination(), of: uids))
    }

    mutating func add(
        _ record: ConnectionRecord, to handles: Handles, at now: ContinuousClock.Instant
    ) {
        if let workload = handles.workload { workloads.update(workload, at: now) { $0.add(record) } }
        services.update(handles.service, at: now) { $0.add(record) }
        guard record.isClosed, record.isEstablished else { return }
        destinations.update(handles.destination, at: now) { histograms in
            histograms.duration.add(Double(record.duration) / 1e9)
            if record.smoothedRTT > 0 { histograms.roundTrip.add(Double(record.smoothedRTT) / 1e6) }
        }
    }

    func idleWorkloads(since deadline: ContinuousClock.Instant) -> Set<String> {
        workloads.idleWorkloads(since: deadline).union(services.idleWorkloads(since: deadline))
            .union(destinations.idleWorkloads(since: deadline))
    }

    mutating func drop(idleSince deadline: ContinuousClock.Instant, vanished: Set<String>) -> Bool {
        guard !vanished.isEmpty else { return false }
        let changes = [
            workloads.drop(idleSince: deadline, vanished: vanished),
            services.drop(idleSince: deadline, vanished: vanished),
            destinations.drop(idleSince: deadline, vanished: vanished),
        ]
        return changes.contains(true)
    }
}
