import Glibc
import KmeshKit
import Testing

/// Whatever comes in at the status server: nobody else notices.
@Suite struct StatusFloodTests {
    private let seeds = [
        "GET /debug/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "POST /debug/loggers?name=config&level=info HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "GET /debug/config_dump/bpf/workload?map=a&limit=3 HTTP/1.0\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: [::1]:1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ].map { Array($0.utf8) }

    private func garbage(_ random: inout SplitMix64) -> [UInt8] {
        var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[at] = UInt8.random(in: .min ... .max, using: &random)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(contentsOf: bytes[at...].prefix(20), at: at)
            default: bytes.insert(contentsOf: [13, 10, 0, 0xff].prefix(1 + at % 4), at: at)
            }
            if bytes.isEmpty { bytes = [0] }
        }
        return bytes
    }

    @Test func garbageIsAnsweredOrEnded() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let address = try await daemon.statusAddress()
            let statuses = try await DedicatedThread.run("test-garbage") { () throws(Errno) in
                var random = SplitMix64(seed: 11)
                var statuses: [Int: Int] = [:]
                for _ in 0..<400 {
                    guard let connection = try? HTTPConnection(address) else { throw .connectionRefused }
                    connection.send(garbage(&random))
                    connection.finish()
                    // Cut off in the middle, it just ends.
                    let answer = connection.receiveAll() ?? []
                    statuses[answer.isEmpty ? 0 : HTTPAnswer(answer)?.status ?? -1, default: 0] += 1
                }
                return statuses
            }
            #expect(statuses[-1] == nil, "an answer that is none: \(statuses)")
            #expect(statuses[200, default: 0] > 0 && statuses[400, default: 0] > 0, "\(statuses)")
            #expect(try await daemon.http("GET", "/debug/ready", at: address).status == 200)
        }
    }

    @Test func longLinesAndManyHeadersAreRefused() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let address = try await daemon.statusAddress()
            let long = String(repeating: "a", count: 200_000)
            let path = try await daemon.raw("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", at: address)
            #expect(
                path?.status == 414 && path?.body == "the request line is too long\n",
                "\(String(describing: path))")
            let header = try await daemon.raw("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\r\n\r\n", at: address)
            #expect(header?.status == 431 && header?.body == "the request's head is too large\n")
            let lines = String(repeating: "X: y\r\n", count: 200)
            let many = try await daemon.raw("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n", at: address)
            #expect(many?.status == 431 && many?.body == "the request has too many headers\n")
            let bare = try await daemon.raw("GET / HTTP/1.1\r\n\r\n", at: address)
            #expect(bare?.status == 400 && bare?.body == "the request has no Host header\n")
        }
    }

    /// Those who say nothing, or do not read, take no place from those who ask.
    @Test func slowClientsHarmNobody() async throws {
        let daemon = try TestDaemon()
        let map = InMemoryMap<ServiceMapKey, SlotValue>(name: "km_large", capacity: 200_000)
        try map.upsert((0..<100_000).map { MapEntry(ServiceMapKey(serviceID: $0), SlotValue(endpointID: 7)) })
        let large = DumpableMap.entries(map, by: \.serviceID) {
            EntryWords(
                key: { ["id": JSONValue($0.serviceID)] }, value: { ["endpoint": JSONValue($1.endpointID)] })
        }
        await daemon.engine.have([], [large])
        let path = "/debug/config_dump/bpf/workload?limit=all"
        try await daemon.whileRunning { daemon async throws in
            let address = try await daemon.statusAddress()
            let kept = try await DedicatedThread.run("test-slow") { () throws(Errno) in
                var kept: [SilentConnection] = []
                for number in 0..<150 {
                    guard let connection = try? HTTPConnection(address) else { throw .connectionRefused }
                    // Every tenth one asks for 5 MB and reads nothing; the others say half a word.
                    connection.send(
                        number % 10 == 0
                            ? "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n"
                            : "GE")
                    kept.append(SilentConnection(connection))
                }
                return kept
            }
            let start = ContinuousClock.now
            for _ in 0..<20 {
                #expect(try await daemon.http("GET", "/debug/live", at: address).status == 200)
            }
            // Those that are silent have 5 s, and those that do not read have 10.
            #expect(ContinuousClock.now - start < .seconds(4))
            #expect(kept.count == 150)
            var answer = try await daemon.http("GET", path, at: address)
            // Those who do not read have all been admitted or refused by then.
            for _ in 0..<500 where answer.status == 503 {
                try await Task.sleep(for: .milliseconds(20))
                answer = try await daemon.http("GET", path, at: address)
            }
            #expect(answer.json["maps"]?.array?[0]["entries"]?.array?.count == 100_000)
        }
    }

    @Test func requestsUnderWayAreBounded() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let address = try await daemon.statusAddress()
            daemon.engine.verifying.close()
            // They leave without waiting for their answers, which are still being made.
            try await DedicatedThread.run("test-impatient") { () throws(Errno) in
                for _ in 0..<100 {
                    guard let connection = try? HTTPConnection(address) else { throw .connectionRefused }
                    connection.send("GET /debug/verify HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    usleep(2000)
                }
            }
            let busy = try await daemon.http("GET", "/debug/config_dump/workload", at: address)
            #expect(
                busy.status == 503 && busy.body == "8 dumps and comparisons are under way; try again\n",
                "\(busy)")
            #expect(try await daemon.http("GET", "/debug/live", at: address).status == 200)
            daemon.engine.verifying.open()
            try await expectEnd(of: "/debug/verify", daemon, address)
        }
    }

    private func expectEnd(of path: String, _ daemon: TestDaemon, _ address: SocketAddress) async throws {
        for _ in 0..<500 {
            if try await daemon.http("GET", path, at: address).status == 200 { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(path) is busy for ever")
    }

    /// Nobody is kept out by those whose answers do not come.
    @Test func whoWaitsMakesRoom() async throws {
        let barrier = TestBarrier()
        var daemon = try TestDaemon()
        daemon.telemetry = SlowSwitches(barrier: barrier)
        try await daemon.whileRunning { daemon async throws in
            let address = try await daemon.statusAddress()
            barrier.close()
            let kept = try await DedicatedThread.run("test-waiting") { () throws(Errno) in
                var kept: [SilentConnection] = []
                for _ in 0..<100 {
                    guard let connection = try? HTTPConnection(address) else { throw .connectionRefused }
                    connection.send("GET /accesslog HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    kept.append(SilentConnection(connection))
                    usleep(2000)
                }
                return kept
            }
            let busy = try await daemon.http("GET", "/version", at: address)
            #expect(busy.status == 503 && busy.body == "64 requests are under way; try again\n", "\(busy)")
            barrier.open()
            try await expectEnd(of: "/version", daemon, address)
            #expect(kept.count == 100)
        }
    }
}

private struct SlowSwitches: TelemetrySwitches {
    let barrier: TestBarrier

    func isEnabled(_ part: TelemetryPart) async -> Bool {
        await barrier.pass()
        return true
    }

    func setEnabled(_ part: TelemetryPart, _ on: Bool) async throws(EngineError) {}
}

/// Open as long as it lives.
private final class SilentConnection: Sendable {
    private let close: @Sendable () -> Void

    init(_ connection: HTTPConnection) {
        let descriptor = connection.release()
        close = { Glibc.close(descriptor) }
    }

    deinit { close() }
}
