package import KmeshKit

/// Connections under the names that Kmesh's dashboards know.
extension ConnectionMetrics {
    package func write(to writer: inout MetricsWriter) {
        writeCounts(workloads, prefix: "kmesh_tcp_workload_", of: "of a workload", &writer)
        writeSegments(&writer)
        writeCounts(services, prefix: "kmesh_tcp_", of: "to a service", &writer)
        writeHistograms(&writer)
        let missing = "kmesh_telemetry_connections_missed_total"
        writer.family(missing, .counter, "Closed connections that found the ring full, or no memory.")
        writer.sample(missing, [], losses)
        let dropped = "kmesh_accesslog_lines_dropped_total"
        writer.family(
            dropped, .counter, "Lines of the access log that could not be written in time, or at all.")
        writer.sample(dropped, [], droppedLines)
        let refused = "kmesh_metrics_label_sets_refused_total"
        writer.family(
            refused, .counter, "Label sets beyond --metrics-series-limit, counted as \"other\" instead.")
        for (kind, count) in [
            ("workload", workloads.refused), ("service", services.refused),
            ("destination", destinations.refused),
        ] {
            writer.sample(refused, [("series", kind)], count)
        }
    }

    private func writeCounts(
        _ table: SeriesTable<ConnectionCounts>, prefix: String, of what: String,
        _ writer: inout MetricsWriter
    ) {
        let families: [(String, String, (ConnectionCounts) -> UInt64)] = [
            ("connections_opened_total", "TCP connections \(what) that were established.", \.opened),
            ("connections_closed_total", "TCP connections \(what) that have ended.", \.closed),
            (
                "connections_failed_total", "TCP connections \(what) that could not be established.",
                \.failed
            ),
            ("sent_bytes_total", "Bytes of payload that the reporting end has sent.", \.sent),
            ("received_bytes_total", "Bytes of payload that the reporting end has received.", \.received),
        ]
        let series = table.sorted
        for (name, help, value) in families {
            writer.family(prefix + name, .counter, help)
            for one in series { writer.sample(prefix + name, one.labels, value(one.value)) }
        }
    }

    private func writeSegments(_ writer: inout MetricsWriter) {
        let families: [(String, String, (ConnectionCounts) -> UInt64)] = [
            ("kmesh_tcp_retrans_total", "Segments that were sent again.", \.retransmissions),
            ("kmesh_tcp_packet_loss_total", "Segments that were taken for lost.", \.lost),
        ]
        // With workloads' series off, services' tell the same.
        let series = (workloads.count > 0 ? workloads : services).sorted
        for (name, help, value) in families {
            writer.family(name, .counter, help)
            for one in series { writer.sample(name, one.labels, value(one.value)) }
        }
    }

    private func writeHistograms(_ writer: inout MetricsWriter) {
        let families: [(String, String, (DestinationHistograms) -> Histogram)] = [
            (
                "kmesh_tcp_connection_duration_seconds", "How long TCP connections lasted that have ended.",
                \.duration
            ),
            (
                "kmesh_tcp_smoothed_rtt_seconds", "The smoothed round-trip time when TCP connections ended.",
                \.roundTrip
            ),
        ]
        let bounds = Histogram.bounds.map { "\($0)" }
        let series = destinations.sorted
        for (name, help, value) in families {
            writer.family(name, .histogram, help)
            for one in series {
                let histogram = value(one.value)
                writer.histogram(
                    name, one.labels, bounds: bounds, counts: histogram.counts, sum: histogram.sum)
            }
        }
    }
}
