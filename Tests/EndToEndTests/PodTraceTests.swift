/// `kmeshctl trace`: what it shows of the connections that pods make meanwhile, and that it leaves nothing.
import CKmeshABI
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class PodTraceTests {
    let node: SandboxNode

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "podtrace", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    private func pod(_ prefix: String) throws -> LocalWorkload {
        let store = try EnrollmentStore.open(stateDirectory: "\(node.directory)/state").store
        return try #require(store.workloads.filter { $0.pod.name.hasPrefix(prefix) }.min { $0.pod < $1.pod })
    }

    /// Until which second of the monotonic clock the pod's entry says that it is traced.
    private func tracedUntil(_ pod: LocalWorkload) throws -> UInt32 {
        let pins = try PinDirectory(
            root: "\(node.directory)/bpf", name: "dual-engine-v\(KMESH_LAYOUT_VERSION)")
        guard let pin = try pins.open(KMESH_MAP_ENROLLED) else { throw Errno.noEntry }
        let map = try BPFMap<EnrolledKey, EnrolledValue>(pin, name: KMESH_MAP_ENROLLED)
        return try map.value(of: EnrolledKey(netnsCookie: pod.networkNamespace.cookie))?.traceUntil ?? 0
    }

    private var second: UInt32 { UInt32(MonotonicClock.nanoseconds() / 1_000_000_000) }

    /// Begins a trace and waits until it is in force.
    private func trace(_ pod: LocalWorkload, _ arguments: String...) throws -> Client {
        let trace = try Client(
            path: BuiltProgram.built("kmeshctl").path,
            arguments: ["trace", pod.pod.description, "--admin-socket", "\(node.directory)/kmesh.sock"]
                + arguments)
        try node.wait(for: "the trace of \(pod.pod)") { try tracedUntil(pod) > second }
        return trace
    }

    private func connect(_ pod: String, _ address: String, _ port: String) throws {
        _ = try node.exec(pod, ["curl", "-s", "-m", "5", "http://\(address):\(port)/"])
    }

    /// As the maps' dump has it.
    private func name(_ service: String) -> String { "default/\(service).default.svc.cluster.local" }

    @Test func connectionsAreShownByNameWithTheirReason() throws {
        let client = try pod("client")
        let trace = try trace(client, "-o", "json", "--count", "3", "--duration", "60")
        try connect("client", "10.96.7.1", "80")
        try connect("client", "10.96.7.1", "99")
        try connect("client", "10.96.7.5", "80")
        #expect(try node.control("verify").status == 0, "that a pod is traced is no difference")
        trace.waitUntilExit()
        #expect(trace.terminationStatus == 0)
        let lines = try trace.lines()
        #expect(lines.count == 3, "\(lines)")
        #expect(lines.map { $0["sequence"] } == ["1", "2", "3"])
        #expect(lines.allSatisfy { $0["command"] == "curl" && $0["protocol"] == "TCP" }, "\(lines)")
        #expect(lines.map { $0["reasonName"] } == ["steered", "undeclared_port", "no_endpoint"])
        #expect(lines.map { $0["service"] } == ["web", "web", "empty"].map(name), "\(lines)")
        #expect(lines[0]["endpointPort"] == "8080", "\(lines[0])")
        #expect(lines[0]["workload"]?.hasPrefix("default/web-") == true, "\(lines[0])")
        #expect(lines[1]["port"] == "99" && lines[1]["endpointAddress"] == "<null>", "\(lines[1])")
        #expect(lines[1]["explanation"] == "Refused: the service does not declare the port.")

        // Nobody asks any more.
        try node.wait(seconds: 10, for: "the trace's end") { try tracedUntil(client) <= second }
        #expect(try node.status()["engine.drift"] == "0")
    }

    @Test func podsAreTracedApart() throws {
        let (client, web) = (try pod("client"), try pod("web-"))
        let first = try trace(client, "-o", "json", "--duration", "6")
        let second = try trace(web, "-o", "json", "--duration", "6")
        for _ in 0..<3 { try connect("client", "10.96.7.1", "80") }
        for _ in 0..<2 { try connect(web.pod.name, "10.96.7.3", "80") }
        first.waitUntilExit()
        second.waitUntilExit()
        let (ours, theirs) = (try first.lines(), try second.lines())
        #expect(ours.map { $0["service"] } == ["web", "web", "web"].map(name), "\(ours)")
        #expect(theirs.map { $0["service"] } == ["web-maglev", "web-maglev"].map(name), "\(theirs)")
    }

    @Test func aTraceEndsByASignalAndWithWhoAsked() throws {
        let client = try pod("client")
        let ended = try trace(client)
        try connect("client", "10.96.7.1", "80")
        ended.interrupt()
        #expect(ended.terminationStatus == 0)
        let text = ended.text
        #expect(text.hasPrefix("TIME "), "\(text)")
        #expect(text.contains("curl/") && text.contains(name("web")), "\(text)")
        #expect(text.contains("Sent to an endpoint of the service."), "\(text)")

        let killed = try trace(client)
        killed.kill()
        try node.wait(seconds: 10, for: "the trace's end") { try tracedUntil(client) <= second }

        let unknown = try node.control("trace", "default/nobody")
        #expect(unknown.status != 0)
        #expect(
            unknown.errors.contains("pod default/nobody is not enrolled")
                && unknown.errors.contains("kmeshctl dump enrolled"), "\(unknown)")
        #expect(try node.control("trace", "nobody").status != 0)
        #expect(try node.control("trace", "default/nobody", "--count", "0").status != 0)
    }

    @Test func allPodsAreTracedIntoTheLog() throws {
        let (client, web) = (try pod("client"), try pod("web-"))
        #expect(try node.control("log", "--set", "bpf:debug").status == 0)
        #expect(try node.control("log").output.contains("bpf"))
        try node.wait(for: "all traces") { try tracedUntil(client) > second && tracedUntil(web) > second }
        // Longer than an entry says it: the daemon renews it.
        sleep(7)
        try connect("client", "10.96.7.1", "80")
        try connect(web.pod.name, "10.96.7.1", "99")
        func log() throws -> String {
            try String(contentsOfFile: "\(node.directory)/daemon.log", encoding: .utf8)
        }
        try node.wait(seconds: 10, for: "the lines") {
            let lines = try log().split(separator: "\n").filter { $0.contains(" bpf: ") }
            return lines.contains { $0.contains("steered") && $0.contains("\(client.pod)") }
                && lines.contains { $0.contains("undeclared_port") && $0.contains("\(web.pod)") }
        }
        #expect(try node.control("verify").status == 0)
        #expect(try node.status()["engine.drift"] == "0")

        #expect(try node.control("log", "--set", "bpf:info").status == 0)
        try node.wait(seconds: 10, for: "the end") { try tracedUntil(client) <= second }
        let before = try log()
        try connect("client", "10.96.7.1", "80")
        sleep(2)
        #expect(try log() == before)
    }

    /// More than a client is shown, and than the kernel keeps: both are said.
    @Test func whatIsLostIsCounted() throws {
        let client = try pod("client")
        let trace = try trace(client, "-o", "json", "--duration", "8")
        trace.pause()
        let flood = "import socket\nfor _ in range(8000): socket.socket().connect_ex(('10.96.7.5', 80))"
        #expect(try node.exec("client", ["python3", "-c", flood]).status == 0)
        trace.resume()
        // Read while it writes: a pipe holds less.
        let lines = try trace.lines()
        trace.waitUntilExit()
        let said = lines.filter { $0["missed"] != nil }
        let missing = said.reduce(0) {
            $0 + (Int($1["missed"] ?? "") ?? 0) + (Int($1["lost"] ?? "") ?? 0)
        }
        #expect(missing > 0, "\(lines.count) lines")
        let shown = lines.count - said.count
        #expect(shown >= 1024, "\(shown)")
        // Those of the time in which the trace was not asked for are nobody's.
        #expect(shown + missing <= 8000)
    }
}
