/// Counting of exchanges, and what snapshots make of it.
import Testing

@testable import WaypointProxy

@Suite struct TelemetryTests {
    @Test func exchangesAreToldApartByRouteClusterStatusAndReason() throws {
        var telemetry = WorkerTelemetry(seriesLimit: 64)
        for status in [200, 200, 503] as [UInt16] {
            telemetry.record(exchange(route: 1, cluster: 2, status: status))
        }
        telemetry.record(exchange(route: 1, cluster: 3, status: 200))
        telemetry.record(exchange(route: 1, cluster: 2, status: 503, reason: .connectFailed))
        telemetry.record(exchange(route: 1, cluster: 2, status: 200))
        let series = telemetry.snapshot().series
        #expect(series.count == 4)
        #expect(series[SeriesKey(exchange(route: 1, cluster: 2, status: 200))]?.count == 3)
        #expect(series[SeriesKey(exchange(route: 1, cluster: 3, status: 200))]?.count == 1)
    }

    @Test func sumsOfASeries() throws {
        var telemetry = WorkerTelemetry()
        var record = exchange(route: 0, cluster: 0, status: 200)
        (record.attempts, record.duration, record.bytesReceived, record.bytesSent) = (3, 1_200, 10, 2_000)
        telemetry.record(record)
        (record.attempts, record.duration) = (1, 70_000_000)
        telemetry.record(record)
        let totals = try #require(telemetry.snapshot().series[SeriesKey(record)])
        #expect(totals.count == 2)
        #expect(totals.retries == 2)
        #expect(totals.duration == 70_001_200)
        #expect(totals.bytesReceived == 20)
        #expect(totals.bytesSent == 4_000)
        #expect(totals.buckets.counts[2] == 1)
        #expect(totals.buckets.counts[16] == 1)
    }

    @Test func bucketsEndAtTheirBounds() {
        #expect(DurationBuckets.bounds.count == DurationBuckets.count - 1)
        for (bucket, bound) in DurationBuckets.bounds.enumerated() {
            #expect(DurationBuckets.bucket(of: bound) == bucket)
            #expect(DurationBuckets.bucket(of: bound + 1) == bucket + 1)
        }
        #expect(DurationBuckets.bucket(of: -1) == 0)
        #expect(DurationBuckets.bucket(of: .max) == 16)
    }

    @Test func whatFindsNoRoomIsCountedTogether() {
        var telemetry = WorkerTelemetry(seriesLimit: 16)
        for cluster in 0..<100 as Range<Int32> {
            for _ in 0..<2 { telemetry.record(exchange(route: 0, cluster: cluster, status: 200)) }
        }
        let snapshot = telemetry.snapshot()
        #expect(snapshot.series.count == 16)
        #expect(snapshot.series[.other]?.count == 170)
        #expect(snapshot.series.values.reduce(0) { $0 + $1.count } == 200)
        #expect(snapshot[.seriesOverflow] == 170)
    }

    @Test func everySeriesIsFoundAgainInAFullTable() {
        var telemetry = WorkerTelemetry(seriesLimit: 4096)
        for _ in 0..<3 {
            for number in 0..<4095 as Range<Int32> {
                telemetry.record(exchange(route: number & 63, cluster: number >> 6, status: 200))
            }
        }
        let snapshot = telemetry.snapshot()
        #expect(snapshot.series.count == 4095)
        #expect(snapshot.series.values.allSatisfy { $0.count == 3 })
        #expect(snapshot[.seriesOverflow] == 0)
    }

    @Test func snapshotsAddUp() {
        var first = WorkerTelemetry(seriesLimit: 16), second = WorkerTelemetry(seriesLimit: 16)
        first.record(exchange(route: 0, cluster: 0, status: 200))
        second.record(exchange(route: 0, cluster: 0, status: 200))
        second.record(exchange(route: 0, cluster: 1, status: 200))
        first.count(.connectionsAccepted)
        second.count(.connectionsAccepted, 2)
        second.count(.badChunk)
        second.set(.upstreamIdle, to: 7)
        var sum = first.snapshot()
        sum.merge(second.snapshot())
        #expect(sum.series.values.map(\.count).sorted() == [1, 2])
        #expect(sum[.connectionsAccepted] == 3)
        #expect(sum[HTTPRefusal.badChunk] == 1)
        #expect(sum[.upstreamIdle] == 7)
    }

    @Test func countersHavePlacesOfTheirOwn() {
        #expect(WorkerCounter.allCases.map { Int($0.rawValue) } == Array(WorkerCounter.allCases.indices))
        #expect(HTTPRefusal.allCases.map { Int($0.rawValue) } == Array(HTTPRefusal.allCases.indices))
    }

    private func exchange(
        route: Int32, cluster: Int32, status: UInt16, reason: ExchangeReason = .completed
    ) -> ExchangeRecord {
        var record = ExchangeRecord()
        (record.route, record.cluster, record.status, record.reason) = (route, cluster, status, reason)
        record.attempts = 1
        return record
    }
}
