import Dispatch
import Foundation
import KmeshKit
import Synchronization
import Testing

@testable import Telemetry

@Suite struct AccessLogTests {
    /// 2024-09-14 08:19:26.552709932 UTC on a machine that has been up for an hour.
    private static let now: UInt64 = 3_600_000_000_000
    private static let offset = 1_726_301_966_552_709_932 - Int64(now)

    private func line(
        _ format: AccessLogFormat, _ record: ConnectionRecord, _ parties: ConnectionParties
    ) -> String {
        var log = AccessLog(format, offset: Self.offset)
        log.write(record, parties)
        #expect(log.lines == 1)
        return String(decoding: log.bytes, as: UTF8.self)
    }

    private func record(_ direction: ConnectionRecord.Direction) throws -> ConnectionRecord {
        var record = try TestRecord.make(direction, sent: 5, received: 6_000_000_000)
        record.reported = Self.now
        record.opened = Self.now - 2_733_902
        return record
    }

    @Test func textIsKmeshs() throws {
        #expect(
            line(.text, try record(.outbound), TestRecord.parties)
                == "accesslog: 2024-09-14 08:19:26.552709932 +0000 UTC src.addr=10.244.0.17:51842, "
                + "src.workload=sleep-1, src.namespace=shop, dst.addr=10.244.0.6:8080, "
                + "dst.service=web.shop.svc.cluster.local, dst.workload=web-v1-abc, dst.namespace=shop, "
                + "direction=OUTBOUND, sent_bytes=5, received_bytes=6000000000, duration=2.733902ms\n")
    }

    @Test func anInboundConnectionBeginsAtItsClient() throws {
        let text = line(.text, try record(.inbound), TestRecord.parties)
        #expect(text.contains("src.addr=10.244.0.17:51842, "), "\(text)")
        #expect(text.contains("dst.addr=10.244.0.6:8080, "), "\(text)")
        #expect(text.contains("direction=INBOUND, sent_bytes=5, "), "\(text)")
    }

    @Test func whatIsNotKnownIsADash() throws {
        let text = line(.text, try record(.outbound), ConnectionParties())
        #expect(text.contains("src.workload=-, src.namespace=-, dst.addr=10.244.0.6:8080, dst.service=-, "))
        #expect(text.contains("dst.workload=-, dst.namespace=-, "))
    }

    @Test func aFractionKeepsItsZeros() throws {
        var short = try record(.outbound)
        short.opened = short.reported - 1_000_023
        #expect(line(.text, short, TestRecord.parties).hasSuffix("duration=1.000023ms\n"))
        short.opened = short.reported + 5
        #expect(line(.text, short, TestRecord.parties).hasSuffix("duration=0.000000ms\n"))
    }

    @Test func jsonSaysMore() throws {
        var long = try record(.inbound)
        long.isClosed = false
        long.retransmissions = 3
        long.smoothedRTT = 250
        var parties = TestRecord.parties
        parties.source?.name = "odd\"name\n"
        let text = line(.json, long, parties)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(object["event"] as? String == "report")
        #expect(object["state"] as? String == "ESTABLISHED")
        #expect(object["time"] as? String == "2024-09-14T08:19:26.552709932Z")
        #expect(object["start_time"] as? String == "2024-09-14T08:19:26.549976030Z")
        #expect(object["src.workload"] as? String == "odd\"name\n")
        #expect(object["received_bytes"] as? UInt64 == 6_000_000_000)
        #expect(object["retransmissions"] as? Int == 3 && object["srtt_us"] as? Int == 250)
        #expect(object["duration_ms"] as? Double == 2.733902)
        #expect(text.split(separator: "\n").count == 1)
    }

    /// A reader that takes nothing costs lines, and never memory without end.
    @Test func aSlowReaderIsToldWhatItMissed() async throws {
        let (came, arrival) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let writer = try LineWriter { _ in
            came.signal()
            arrival.wait()
            return true
        }
        let line = [UInt8](repeating: 0x61, count: 1 << 20)
        writer.write(line, lines: 1)
        came.wait()
        // The reader holds the first line; eight fit into the memory.
        for _ in 0..<20 { writer.write(line, lines: 1) }
        #expect(writer.dropped == 12)
        arrival.signal()
        came.wait()
        writer.write(line, lines: 1)
        #expect(writer.dropped == 12, "there is room again")
        for _ in 0..<3 { arrival.signal() }
        await writer.end()
    }

    @Test func theEndWritesWhatWaits() async throws {
        let written = Mutex<[UInt8]>([])
        let writer = try LineWriter { bytes in
            written.withLock { $0 += bytes }
            return true
        }
        for _ in 0..<100 { writer.write(Array("a line\n".utf8), lines: 1) }
        await writer.end()
        #expect(written.withLock { $0.count } == 700)
    }

    @Test func aReaderThatNeverReadsDoesNotHoldUpTheEnd() async throws {
        let forever = DispatchSemaphore(value: 0)
        let writer = try LineWriter { _ in
            forever.wait()
            return true
        }
        writer.write(Array("a line\n".utf8), lines: 1)
        await writer.end()
        forever.signal()
    }

    @Test func whatCannotBeWrittenIsCounted() async throws {
        let writer = try LineWriter { _ in false }
        writer.write(Array("a line\nanother\n".utf8), lines: 2)
        await writer.end()
        #expect(writer.dropped == 2)
    }
}
