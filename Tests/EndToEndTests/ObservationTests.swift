/// What the daemon says of connections that really took place.
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class ObservationTests {
    private static let interval = 1
    let node: SandboxNode
    private let web = ("10.96.7.1", "80")

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "seen",
            arguments: [
                "--node-name", "node-a", "--daemon-arg=--enable-accesslog",
                "--daemon-arg=--accesslog-format=json", "--daemon-arg=--report-interval=\(Self.interval)",
            ])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    /// Lines of the access log that are as wanted, once there are `count`.
    private func lines(
        _ count: Int, _ what: String, where isWanted: ([String: String]) -> Bool
    ) throws -> [[String: String]] {
        var found: [[String: String]] = []
        try node.wait(for: "\(count) lines: \(what)") {
            found = try logged().filter(isWanted)
            return found.count >= count
        }
        return found
    }

    private func logged() throws -> [[String: String]] {
        let log = try String(contentsOfFile: "\(node.directory)/daemon.log", encoding: .utf8)
        return try log.split(separator: "\n").filter { $0.hasPrefix("{") && $0.hasSuffix("}") }.map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            return object.mapValues { "\($0)" }
        }
    }

    @Test func bothEndsAreToldExactly() throws {
        let sizes = [(0, 0), (1, 0), (0, 1), (7, 70_000), (3_000_000, 11)]
        let server = try node.launch("bulk.py", in: "near", ["serve", "9000", "\(2 * sizes.count)"])
        defer { server.terminate() }
        for address in try addresses(of: "near") {
            for (up, down) in sizes {
                let client = try self.client(of: address, up, down)
                let port = try #require(client["port"])
                let ends = try lines(2, "both ends of port \(port)") {
                    $0["event"] == "close" && $0["src.addr"]?.hasSuffix(":\(port)") == true
                }
                #expect(ends.count == 2)
                let outbound = try #require(ends.first { $0["direction"] == "OUTBOUND" })
                let inbound = try #require(ends.first { $0["direction"] == "INBOUND" })
                #expect(outbound["sent_bytes"] == client["sent"], "\(outbound)")
                #expect(outbound["received_bytes"] == client["received"], "\(outbound)")
                #expect(inbound["sent_bytes"] == client["received"], "\(inbound)")
                #expect(inbound["received_bytes"] == client["sent"], "\(inbound)")
                for end in ends {
                    #expect(end["src.workload"]?.hasPrefix("client-") == true, "\(end)")
                    #expect(end["dst.workload"]?.hasPrefix("near-") == true, "\(end)")
                    #expect(end["src.namespace"] == "default" && end["dst.namespace"] == "default")
                    try expectRecent(end)
                }
            }
        }
    }

    /// The server's pod may still be on its way to listen.
    private func client(of address: String, _ up: Int, _ down: Int) throws -> [String: String] {
        var answer: [String: String] = [:]
        try node.wait(for: "an answer of \(address)") {
            let outcome = try node.exec(
                "client",
                [
                    "python3", "\(SandboxNode.fixtures)/bulk.py", "send", address, "9000", "\(up)", "\(down)",
                ])
            guard outcome.status == 0 else { return false }
            let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
            answer = (object ?? [:]).mapValues { "\($0)" }
            return true
        }
        return answer
    }

    /// The times are those of the clock on the wall.
    private func expectRecent(_ line: [String: String]) throws {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        // The style knows milliseconds.
        let text = try #require(line["time"]?.dropLast(7)) + "Z"
        let time = try Date(String(text), strategy: format)
        #expect(abs(time.timeIntervalSinceNow) < 60, "\(line["time"] ?? "")")
    }

    private func addresses(of pod: String) throws -> [String] {
        let outcome = try node.exec(pod, ["ip", "-o", "addr", "show", "scope", "global"])
        let addresses = outcome.output.split(separator: "\n").compactMap { line in
            line.split(separator: " ").first { $0.contains("/") }.flatMap { $0.split(separator: "/").first }
                .map(String.init)
        }
        #expect(addresses.count == 2, "IPv4 and IPv6: \(outcome)")
        return addresses
    }

    @Test func servicesAreNamedAtBothEnds() throws {
        let answers = try node.probe("client", "tcp", web.0, web.1, "5")
        #expect(answers.allSatisfy { $0["pod"] != nil })
        let ends = try lines(10, "both ends of five connections") { $0["event"] == "close" }
        let outbound = ends.filter { $0["direction"] == "OUTBOUND" }
        #expect(outbound.count == 5 && outbound.allSatisfy { $0["dialed.addr"] == "10.96.7.1:80" })
        #expect(outbound.allSatisfy { $0["dst.service"] == "web.default.svc.cluster.local" })
        // A pod serves several services at one port: one of them is named.
        #expect(ends.allSatisfy { $0["dst.service"]?.hasSuffix(".default.svc.cluster.local") == true })
        #expect(ends.allSatisfy { $0["dst.addr"]?.hasSuffix(":8080") == true })
        #expect(ends.allSatisfy { $0["duration_ms"].flatMap(Double.init) ?? 0 > 0 })
    }

    @Test func longConnectionsAreReportedAsTheyGoOn() throws {
        let client = try node.launch("client", "hold", web.0, web.1, "4")
        let reports = try lines(4, "reports of a held connection") { $0["event"] == "report" }
        client.waitUntilExit()
        #expect(reports.allSatisfy { $0["state"] == "ESTABLISHED" })
        let sent = reports.filter { $0["direction"] == "OUTBOUND" }
            .compactMap { $0["sent_bytes"].flatMap(Int.init) }
        #expect(sent.count >= 2 && sent == sent.sorted() && sent[0] < sent[sent.count - 1], "\(sent)")
        let port = try #require(reports.first?["src.addr"]?.split(separator: ":").last)
        let end = try lines(2, "its end") {
            $0["event"] == "close" && $0["src.addr"]?.hasSuffix(":\(port)") == true
        }
        #expect(end.allSatisfy { $0["duration_ms"].flatMap(Double.init) ?? 0 > 3_500 })
    }

    @Test func whoIsNotEnrolledIsNotObserved() throws {
        let address = try #require(try addresses(of: "near").first)
        let answers = try node.probe("outsider", "tcp", address, "8080")
        #expect(answers[0]["pod"] != nil, "\(answers)")
        _ = try node.probe("client", "tcp", web.0, web.1)
        _ = try lines(2, "the client's connection") { $0["src.workload"]?.hasPrefix("client-") == true }
        // The server's end of it is a pod's.
        let ends = try logged().filter { $0["src.workload"]?.hasPrefix("outsider-") == true }
        #expect(ends.map { $0["direction"] } == ["INBOUND"])
    }

    @Test func theLogIsSwitchedAndTheSwitchIsFree() throws {
        let off = try node.control("accesslog", "disable")
        #expect(off.status == 0 && off.output == "the access log is off\n", "\(off)")
        #expect(try node.control("monitoring", "disable").status == 0)
        // With nobody who wants to know, no program is there to ask.
        #expect(!FileManager.default.fileExists(atPath: "\(node.directory)/bpf/kmesh/telemetry-v1"))
        let before = try logged().count
        _ = try node.probe("client", "tcp", web.0, web.1)
        #expect(try node.control("accesslog", "status", "-o", "json").output.contains("\"accesslog\": false"))
        let on = try node.control("accesslog", "enable")
        #expect(on.output == "the access log is on\n", "\(on)")
        _ = try node.probe("client", "tcp", web.0, web.1)
        let lines = try lines(before + 2, "a connection after the switch") { _ in true }
        #expect(lines.count == before + 2, "the one before was seen too")
        #expect(try node.control("accesslog", "perhaps").status != 0)
    }

    @Test func whatEndsWithoutTheDaemonIsToldByTheNext() throws {
        try node.endDaemon(SIGKILL)
        let answers = try node.probe("client", "tcp", web.0, web.1, "20")
        #expect(answers.allSatisfy { $0["pod"] != nil })
        let log = "\(node.directory)/next.log"
        #expect(FileManager.default.createFile(atPath: log, contents: nil))
        let output = try #require(FileHandle(forWritingAtPath: log))
        let daemon = try node.startDaemon(to: output, "--enable-accesslog")
        defer { daemon.end() }
        try node.wait(for: "40 lines of the text log") {
            try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
                .filter { $0.hasPrefix("accesslog: ") && $0.contains("src.workload=client-") }.count == 40
        }
        try node.endDaemon(SIGTERM)
    }
}
