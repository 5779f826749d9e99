/// Everything that is counted, under the names that dashboards know.
internal import KmeshKit

struct MetricsExposition {
    let statistics: [WorkerStatistics]
    let facts: OperationRecord.Facts
    let names: StatisticNames
    /// Of the configuration in force.
    let version: UInt64
    let process: ProcessUse

    func text() -> [UInt8] {
        var snapshot = TelemetrySnapshot()
        for one in statistics { snapshot.merge(one.telemetry) }
        var writer = MetricsWriter()
        writeRequests(snapshot, to: &writer)
        writeStreams(snapshot, to: &writer)
        writePolicies(snapshot, to: &writer)
        writeCounters(snapshot, to: &writer)
        writeConfiguration(to: &writer)
        writeProcess(to: &writer)
        return writer.bytes
    }

    /// Routes and services by name. A series' number may be younger than the names at hand: then it is empty.
    private struct Labels {
        let routes: [String]
        let clusters: [BackendReference]

        func target(_ key: SeriesKey) -> [(String, String)] {
            [("route", route(key.route)), ("destination_service", service(key.cluster))]
        }

        func service(_ number: Int32) -> String {
            if number == SeriesKey.other.cluster { return "other" }
            return clusters.indices.contains(Int(number)) ? label(clusters[Int(number)]) : ""
        }

        private func route(_ number: Int32) -> String {
            if number == SeriesKey.other.route { return "other" }
            return routes.indices.contains(Int(number)) ? routes[Int(number)] : ""
        }

        private func label(_ backend: BackendReference) -> String {
            backend.servicePort.map { "\($0.key.hostname):\($0.port)" } ?? backend.description
        }
    }

    private struct TargetKey: Hashable {
        let route: Int32
        let cluster: Int32
    }

    private func writeRequests(_ snapshot: TelemetrySnapshot, to writer: inout MetricsWriter) {
        let labels = Labels(routes: names.routeNames, clusters: names.clusterNames)
        let requests = snapshot.series.filter { !$0.key.isPassthrough }.sorted { $0.key < $1.key }
        let total = "kmesh_waypoint_requests_total"
        writer.family(total, .counter, "Requests by route, destination, response code and reason.")
        for (key, totals) in requests {
            let outcome = [("response_code", "\(key.status)"), ("reason", snakeCase("\(key.reason)"))]
            writer.sample(total, labels.target(key) + outcome, totals.count)
        }
        var targets: [TargetKey: SeriesTotals] = [:]
        for (key, totals) in requests {
            targets[TargetKey(route: key.route, cluster: key.cluster), default: SeriesTotals()].merge(totals)
        }
        let sorted = targets.sorted { ($0.key.route, $0.key.cluster) < ($1.key.route, $1.key.cluster) }
            .map { item in
                let key = SeriesKey(
                    route: item.key.route, cluster: item.key.cluster, status: 0, reason: .completed,
                    isPassthrough: false)
                return (labels.target(key), item.value)
            }
        let duration = "kmesh_waypoint_request_duration_seconds"
        writer.family(duration, .histogram, "From a request's first byte to its response's last one.")
        for (labels, totals) in sorted { writer.histogram(duration, labels, totals) }
        let sums: [(String, String, (SeriesTotals) -> UInt64)] = [
            ("request_bytes_total", "Bytes of requests' bodies.", \.bytesReceived),
            ("response_bytes_total", "Bytes of responses' bodies.", \.bytesSent),
            ("request_retries_total", "Attempts at an upstream after the first one.", \.retries),
        ]
        for (name, help, value) in sums {
            writer.family("kmesh_waypoint_\(name)", .counter, help)
            for (labels, totals) in sorted {
                writer.sample("kmesh_waypoint_\(name)", labels, value(totals))
            }
        }
    }

    private func writeStreams(_ snapshot: TelemetrySnapshot, to writer: inout MetricsWriter) {
        let labels = Labels(routes: names.routeNames, clusters: names.clusterNames)
        let streams = snapshot.series.filter { $0.key.isPassthrough }.sorted { $0.key < $1.key }
        let sums: [(String, String, (SeriesTotals) -> UInt64)] = [
            ("streams_total", "Connections that were passed through, at their end.", \.count),
            ("stream_received_bytes_total", "Bytes from clients that were passed through.", \.bytesReceived),
            ("stream_sent_bytes_total", "Bytes to clients that were passed through.", \.bytesSent),
        ]
        for (name, help, value) in sums {
            writer.family("kmesh_waypoint_\(name)", .counter, help)
            for (key, totals) in streams {
                let target = [
                    ("destination_service", labels.service(key.cluster)),
                    ("reason", snakeCase("\(key.reason)")),
                ]
                writer.sample("kmesh_waypoint_\(name)", target, value(totals))
            }
        }
    }

    /// `none` stands for what no policy that allows did allow.
    private func writePolicies(_ snapshot: TelemetrySnapshot, to writer: inout MetricsWriter) {
        let policies = names.policyNames
        let denied = "kmesh_waypoint_authorization_denied_total"
        writer.family(denied, .counter, "Requests and streams that a policy denied.")
        for (number, policy) in policies.enumerated() {
            writer.sample(denied, [("policy", policy)], snapshot.denials(by: number))
        }
        let trial = "kmesh_waypoint_authorization_trial_denied_total"
        writer.family(trial, .counter, "Requests and streams that a policy under trial would have denied.")
        for (number, policy) in policies.enumerated().dropFirst() {
            writer.sample(trial, [("policy", policy)], snapshot.trialDenials(by: number))
        }
    }

    private func writeCounters(_ snapshot: TelemetrySnapshot, to writer: inout MetricsWriter) {
        var families: [(name: String, metrics: [(WorkerCounter, CounterMetric)])] = []
        for counter in WorkerCounter.allCases {
            let metric = counter.metric
            if families.last?.name == metric.name {
                families[families.count - 1].metrics.append((counter, metric))
            } else {
                families.append((metric.name, [(counter, metric)]))
            }
        }
        for (name, metrics) in families {
            let full = "kmesh_waypoint_\(name)"
            writer.family(full, metrics[0].0.isGauge ? .gauge : .counter, metrics[0].1.help)
            for (counter, metric) in metrics {
                writer.sample(full, metric.label.map { [$0] } ?? [], snapshot[counter])
            }
        }
        let refused = "kmesh_waypoint_messages_refused_total"
        writer.family(refused, .counter, "Requests and responses that are no HTTP that is taken.")
        for refusal in HTTPRefusal.allCases {
            writer.sample(refused, [("reason", snakeCase("\(refusal)"))], snapshot[refusal])
        }
    }

    private func writeConfiguration(to writer: inout MetricsWriter) {
        let values: [(String, MetricsWriter.Kind, String, Int64)] = [
            ("config_version", .gauge, "The configuration in force, counted from the start.", Int64(version)),
            ("config_updates_total", .counter, "Changes that were taken.", Int64(facts.updates)),
            (
                "config_failures_total", .counter, "Readings that were refused; the old one stayed.",
                Int64(facts.badConfigurations)
            ),
            (
                "config_last_reload_successful", .gauge, "Whether the last reading was taken.",
                facts.lastError == nil ? 1 : 0
            ),
            (
                "config_last_success_timestamp_seconds", .gauge, "When a reading was taken last.",
                facts.lastSuccess
            ),
            ("draining", .gauge, "Whether the process is about to end.", facts.phase == .draining ? 1 : 0),
            ("workers", .gauge, "Threads that serve.", Int64(statistics.count)),
        ]
        for (name, kind, help, value) in values {
            writer.family("kmesh_waypoint_\(name)", kind, help)
            writer.sample("kmesh_waypoint_\(name)", [], value)
        }
        writer.family("kmesh_waypoint_build_info", .gauge, "The program's version.")
        writer.sample("kmesh_waypoint_build_info", [("version", KmeshVersion.current)], 1)
    }

    private func writeProcess(to writer: inout MetricsWriter) {
        writer.family("process_cpu_seconds_total", .counter, "User and system time in seconds.")
        writer.sample("process_cpu_seconds_total", [], process.processorSeconds)
        let gauges: [(String, String, UInt64)] = [
            ("process_resident_memory_bytes", "Resident memory.", process.residentMemory),
            ("process_virtual_memory_bytes", "Virtual memory.", process.virtualMemory),
            ("process_open_fds", "Open file descriptors.", process.openDescriptors),
        ]
        for (name, help, value) in gauges {
            writer.family(name, .gauge, help)
            writer.sample(name, [], value)
        }
    }
}

extension SeriesKey: Comparable {
    static func < (left: SeriesKey, right: SeriesKey) -> Bool {
        (left.route, left.cluster, left.status, left.reason.rawValue, left.isPassthrough ? 1 : 0)
            < (right.route, right.cluster, right.status, right.reason.rawValue, right.isPassthrough ? 1 : 0)
    }
}

extension MetricsWriter {
    fileprivate mutating func histogram(
        _ name: String, _ labels: [(String, String)], _ totals: SeriesTotals
    ) {
        histogram(
            name, labels, bounds: DurationBuckets.bounds.map { "\(Double($0) / 1_000_000)" },
            counts: (0..<DurationBuckets.count).map { totals.buckets.counts[$0] },
            sum: Double(totals.duration) / 1_000_000)
    }
}
