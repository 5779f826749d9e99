import KmeshKit
import Testing

@testable import Telemetry

@Suite struct ConnectionMetricsTests {
    private func metrics(
        _ records: [(ConnectionRecord, ConnectionParties)], _ options: TelemetryOptions = TelemetryOptions()
    ) -> ConnectionMetrics {
        var metrics = ConnectionMetrics(options)
        for (record, parties) in records {
            metrics.add(record, to: metrics.handles(for: record, parties), at: .now)
        }
        return metrics
    }

    private func text(_ metrics: ConnectionMetrics) -> [String] {
        var writer = MetricsWriter()
        metrics.write(to: &writer)
        return String(decoding: writer.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func labelsAreIstios() throws {
        let lines = text(metrics([(try TestRecord.make(.outbound, sent: 5), TestRecord.parties)]))
        let line = try #require(lines.first { $0.hasPrefix("kmesh_tcp_workload_sent_bytes_total{") })
        #expect(
            line == "kmesh_tcp_workload_sent_bytes_total{reporter=\"source\",source_workload=\"sleep-1\","
                + "source_canonical_service=\"sleep-1\",source_canonical_revision=\"latest\","
                + "source_workload_namespace=\"shop\","
                + "source_principal=\"spiffe://cluster.local/ns/shop/sa/sleep\",source_app=\"unknown\","
                + "source_version=\"unknown\",source_cluster=\"Kubernetes\","
                + "destination_pod_address=\"10.244.0.6\",destination_pod_namespace=\"shop\","
                + "destination_pod_name=\"web-v1-abc\",destination_workload=\"web-v1\","
                + "destination_canonical_service=\"web\",destination_canonical_revision=\"v1\","
                + "destination_workload_namespace=\"shop\",destination_principal=\"unknown\","
                + "destination_app=\"web\",destination_version=\"v1\",destination_cluster=\"Kubernetes\","
                + "request_protocol=\"tcp\",response_flags=\"-\",connection_security_policy=\"none\"} 5")
        let service = try #require(lines.first { $0.hasPrefix("kmesh_tcp_sent_bytes_total{") })
        #expect(
            service.contains(
                "destination_service=\"web.shop.svc.cluster.local\",destination_service_namespace=\"shop\","
                    + "destination_service_name=\"web\""), "\(service)")
        #expect(service.split(separator: ",").count == 23 && line.split(separator: ",").count == 23)
    }

    /// A report, another one and the end: opened and closed once, bytes once.
    @Test func aLongConnectionCountsOnce() throws {
        var first = try TestRecord.make(.inbound, sent: 100, isClosed: false)
        first.news.sent = 100
        var second = try TestRecord.make(.inbound, sent: 150, isClosed: false, isFirst: false)
        second.news.sent = 50
        var last = try TestRecord.make(.inbound, sent: 160, isFirst: false)
        last.news.sent = 10
        let all = metrics([first, second, last].map { ($0, TestRecord.parties) })
        let counts = try #require(all.services.sorted.first?.value)
        #expect(counts == ConnectionCounts(opened: 1, closed: 1, sent: 160))
    }

    @Test func anAttemptThatFailedIsNoConnection() throws {
        let failed = try TestRecord.make(.outbound, isEstablished: false)
        let all = metrics([(failed, TestRecord.parties)])
        #expect(all.services.sorted.first?.value == ConnectionCounts(failed: 1))
        #expect(all.destinations.count == 1 && all.destinations.sorted.first?.value.duration.sum == 0)
    }

    @Test func labelSetsAreBounded() throws {
        let record = try TestRecord.make(.outbound, sent: 1)
        let many = (0..<50).map { number -> (ConnectionRecord, ConnectionParties) in
            var parties = TestRecord.parties
            parties.destination?.name = "web-\(number)"
            parties.destination?.uid = "Pod/shop/web-\(number)"
            return (record, parties)
        }
        let all = metrics(many, TelemetryOptions(seriesLimit: 10))
        #expect(all.workloads.count == 11 && all.workloads.refused == 40)
        let sum = all.workloads.sorted.reduce(0) { $0 + $1.value.sent }
        #expect(sum == 50, "what is beyond the limit is counted too")
        #expect(all.workloads.sorted.contains { $0.labels.contains { $0 == ("source_workload", "other") } })
        // All of them are of one service.
        #expect(all.services.count == 1)
        #expect(metrics(many, TelemetryOptions(hasWorkloadSeries: false)).workloads.count == 0)
    }

    @Test func idleSeriesOfVanishedWorkloadsGo() throws {
        let record = try TestRecord.make(.outbound, sent: 1)
        var other = TestRecord.parties
        other.source?.uid = "Pod/shop/stays"
        other.source?.name = "stays"
        other.destination = nil
        var all = metrics([(record, TestRecord.parties), (record, other)])
        let future = ContinuousClock.now + .seconds(10)
        #expect(all.idleWorkloads(since: .now - .seconds(60)).isEmpty)
        let parties: Set = ["Pod/shop/sleep-1", "Pod/shop/web-v1-abc", "Pod/shop/stays"]
        #expect(all.idleWorkloads(since: future) == parties)
        let drops = [
            all.drop(idleSince: future, vanished: []),
            all.drop(idleSince: .now - .seconds(60), vanished: ["Pod/shop/sleep-1"]),
            all.drop(idleSince: future, vanished: ["Pod/shop/sleep-1"]),
        ]
        #expect(drops == [false, false, true], "nobody gone; not idle; both")
        #expect(all.workloads.count == 1 && all.services.count == 1)
        // Its place is given to the next, and counts from 0.
        let handles = all.handles(for: record, TestRecord.parties)
        all.add(record, to: handles, at: .now)
        #expect(all.workloads.count == 2 && all.workloads.sorted.allSatisfy { $0.value.sent == 1 })
    }

    @Test func histogramsHaveAllThatFell() {
        var histogram = Histogram()
        for value in [0, 0.0001, 0.00011, 4000] { histogram.add(value) }
        #expect(histogram.counts.first == 2 && histogram.counts[1] == 1 && histogram.counts.last == 1)
        #expect(histogram.counts.reduce(0, +) == 4)
    }

    @Test func partiesStayKnownAfterTheirPodHasGone() throws {
        let record = try TestRecord.make(.outbound)
        var directory = PartyDirectory()
        let (all, unknown) = directory.entries(of: [record, record])
        #expect(all.count == 2 && all[0] === all[1] && unknown.count == 1)
        directory.learn(unknown, [TestRecord.parties])
        unknown[0].texts = AccessLog.Texts(TestRecord.parties, .outbound)
        #expect(directory.entries(of: [record]).unknown.isEmpty)
        directory.noteChange()
        let again = directory.entries(of: [record]).unknown
        #expect(again.count == 1 && again[0] === unknown[0])
        directory.learn(again, [ConnectionParties(source: TestRecord.parties.source)])
        #expect(again[0].parties == TestRecord.parties && again[0].texts != nil)
        var other = TestRecord.parties
        other.destination?.name = "another"
        directory.learn(again, [other])
        // An address that has another owner by now.
        #expect(again[0].parties == other && again[0].texts == nil)
    }
}
