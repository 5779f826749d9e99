/// Lines of the access log: their fields, what cannot break out of them, and slow readers.
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@testable import WaypointProxy

@Suite struct AccessLogTests {
    @Test func aLineOfText() throws {
        let lines = try logged(.text) { log, telemetry in
            let entry = begin(&log, telemetry, path: "/a?b=c", userAgent: "curl/8", authority: "reviews:9080")
            log.set(.requestID, Array("id-1".utf8).span, in: entry)
            log.finish(entry, record(), upstream: endpoint, now: noon, telemetry)
        }
        #expect(
            lines == [
                #"[2026-11-23T11:59:59.995Z] "GET /a?b=c HTTP/1.1" 200 - 7 1234 5 3 "-" "curl/8" "id-1" "#
                    + #""reviews:9080" "10.0.0.1:8080" "-""#
            ])
    }

    @Test func aLineOfJSON() throws {
        let lines = try logged(.json) { log, telemetry in
            let entry = begin(&log, telemetry, path: "/\"ü\n", userAgent: "a\u{1}", authority: "r")
            log.finish(entry, record(), upstream: nil, now: noon, telemetry)
        }
        let line = try JSONValue(parsing: try #require(lines.first))
        #expect(line["start_time"]?.string == "2026-11-23T11:59:59.995Z")
        #expect(line["path"]?.string == "/\"ü\n")
        #expect(line["user_agent"]?.string == "a\u{1}")
        #expect(line["response_code"]?.integer() == 200)
        #expect(line["duration"]?.integer() == 5)
        #expect(line["upstream_host"] == .null)
        #expect(line["request_id"] == .null)
        #expect(line["response_code_details"] == .null)
    }

    @Test(arguments: [AccessLogFormat.text, .json])
    func detailsNameAPolicy(format: AccessLogFormat) throws {
        let details =
            "rbac_access_denied_matched_policy[ns[\(String(repeating: "n", count: 63))]-policy["
            + String(repeating: "p", count: 253) + "]-rule[0]]"
        let lines = try logged(format) { log, telemetry in
            let long = String(repeating: "\u{1}", count: 5000)
            let entry = begin(&log, telemetry, path: "/" + long, userAgent: "x", authority: "y")
            log.finish(
                entry, record(), upstream: nil, details: Array(details.utf8), now: noon, telemetry)
        }
        #expect(lines.count == 1)
        if format == .json {
            let line = try JSONValue(parsing: try #require(lines.first))
            #expect(line["response_code_details"]?.string == details)
        } else {
            #expect(lines[0].hasSuffix(" \"\(details)\""))
        }
    }

    @Test(arguments: [AccessLogFormat.text, .json])
    func clientsCannotWriteLinesOfTheirOwn(format: AccessLogFormat) throws {
        let hostile = (0...255).map { UInt8($0) } + Array("\r\n[2026] \"GET / HTTP/1.1\" 200".utf8)
        let lines = try logged(format) { log, telemetry in
            let entry = begin(&log, telemetry, path: "/", userAgent: "", authority: "")
            for text in AccessLogText.allCases { log.set(text, hostile.span, in: entry) }
            log.finish(entry, record(), upstream: nil, now: noon, telemetry)
        }
        #expect(lines.count == 1)
        #expect(lines[0].utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 >= 0x80 })
        if format == .json { _ = try JSONValue(parsing: lines[0]) }
    }

    @Test(arguments: [AccessLogFormat.text, .json])
    func longTextsAreCutAndSaidToBe(format: AccessLogFormat) throws {
        let long = String(repeating: "\u{1}", count: 5000)
        let lines = try logged(format) { log, telemetry in
            let entry = begin(&log, telemetry, path: "/" + long, userAgent: "x", authority: "y")
            log.finish(entry, record(), upstream: nil, now: noon, telemetry)
        }
        #expect(lines.count == 1)
        #expect(lines[0].utf8.count < 4096)
        #expect(lines[0].contains("…"))
        #expect(lines[0].contains("\"y\""), "fields after the long one are there")
    }

    @Test func passedThroughConnectionsHaveLines() throws {
        let lines = try logged(.text) { log, telemetry in
            let entry = log.begin(telemetry)
            var record = record()
            (record.isPassthrough, record.status, record.upstreamDuration) = (true, 0, 0)
            log.finish(entry, record, upstream: endpoint, now: noon, telemetry)
        }
        #expect(lines[0].contains(#""- - -" 0 - 7 1234 5 - "-" "-" "-" "-" "10.0.0.1:8080" "-""#))
    }

    @Test func aLogThatIsOffKeepsNothing() {
        var log = AccessLog(.off, to: nil, capacity: 1 << 20)
        let telemetry = WorkerTelemetry(seriesLimit: 2)
        let entry = begin(&log, telemetry, path: "/", userAgent: "x", authority: "y")
        #expect(entry == -1)
        log.finish(entry, record(), upstream: nil, now: noon, telemetry)
        let lines = telemetry.value(of: .accessLogLines)
        #expect(lines == 0)
    }

    @Test func withoutAnEntryLinesAreDroppedAndCounted() throws {
        let lines = try logged(.text, capacity: 2) { log, telemetry in
            let entries = (0..<3).map { _ in log.begin(telemetry) }
            #expect(entries == [0, 1, -1])
            for entry in entries { log.finish(entry, record(), upstream: nil, now: noon, telemetry) }
            let dropped = telemetry.value(of: .accessLogDropped)
            #expect(dropped == 1)
            let again = log.begin(telemetry)
            #expect(again >= 0)
            log.release(again)
        }
        #expect(lines.count == 2)
    }

    @Test func aSlowReaderBlocksNobody() throws {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/pipe"
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let pipe = try FileDescriptor.open(path, O_RDWR | O_NONBLOCK)
        let file = try LogFile(path)
        var log = AccessLog(.text, to: file, capacity: 4)
        let telemetry = WorkerTelemetry(seriesLimit: 2)
        for _ in 0..<5_000 {
            let entry = log.begin(telemetry)
            log.finish(entry, record(), upstream: nil, now: noon, telemetry)
            log.flush(telemetry)
        }
        let (written, dropped) = (
            telemetry.value(of: .accessLogLines), telemetry.value(of: .accessLogDropped)
        )
        #expect(written + dropped == 5_000)
        #expect(dropped > 0)
        // What was kept comes whole once somebody reads.
        var text = ""
        while true {
            guard let piece = try? pipe.read(upTo: 65_536) else { break }
            log.flush(telemetry)
            text += String(decoding: piece, as: UTF8.self)
        }
        let lines = text.split(separator: "\n")
        #expect(lines.count == Int(written))
        #expect(Set(lines).count == 1)
    }

    @Test func aRenamedFileIsOpenedAnew() throws {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/access.log"
        let file = try LogFile(path)
        var log = AccessLog(.text, to: file, capacity: 4)
        let telemetry = WorkerTelemetry(seriesLimit: 2)
        func write() {
            let entry = log.begin(telemetry)
            log.finish(entry, record(), upstream: nil, now: noon, telemetry)
            log.flush(telemetry)
        }
        write()
        try Files.move(path, to: path + ".1")
        write()
        try file.reopen()
        write()
        #expect(try Files.readText(path + ".1").split(separator: "\n").count == 2)
        #expect(try Files.readText(path).split(separator: "\n").count == 1)
    }

    private let noon = WallClock(seconds: 1_795_435_200, nanoseconds: 0)
    private let endpoint = SocketAddress(IPAddress(v4: 0x0a00_0001), 8080)

    private func record() -> ExchangeRecord {
        var record = ExchangeRecord()
        (record.status, record.duration, record.upstreamDuration) = (200, 5_000, 3_900)
        (record.bytesReceived, record.bytesSent) = (7, 1234)
        return record
    }

    private func begin(
        _ log: inout AccessLog, _ telemetry: borrowing WorkerTelemetry, path: String, userAgent: String,
        authority: String
    ) -> Int32 {
        var bytes: [UInt8] = []
        func range(_ text: String) -> ByteRange {
            defer { bytes += text.utf8 }
            return ByteRange(start: Int32(bytes.count), count: Int32(text.utf8.count))
        }
        var head = RequestHead()
        (head.method, head.target, head.authority) = (range("GET"), range(path), range(authority))
        let fields = [HeaderField(value: range(userAgent), known: .userAgent)]
        return log.begin(head, fields.span, bytes.span, telemetry)
    }

    /// What `body` logged, line by line.
    private func logged(
        _ format: AccessLogFormat, capacity: Int32 = 8,
        _ body: (inout AccessLog, borrowing WorkerTelemetry) throws -> Void
    ) throws -> [String] {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/access.log"
        var log = AccessLog(format, to: try LogFile(path), capacity: capacity)
        let telemetry = WorkerTelemetry(seriesLimit: 2)
        try body(&log, telemetry)
        log.flush(telemetry)
        return try Files.readText(path).split(separator: "\n", omittingEmptySubsequences: true).map(
            String.init)
    }
}
