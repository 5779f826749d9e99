/// Prometheus scrapes a node, and every panel of the dashboards has something to show.
import Foundation
import Glibc
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class DashboardTests {
    let node: SandboxNode
    private static let root = SandboxNode.fixtures.split(separator: "/").dropLast(2)
        .reduce("") { "\($0)/\($1)" }

    init() throws {
        node = try SandboxNode(
            fixture: "authorization.yaml", name: "boards",
            arguments: [
                "--daemon-arg=--enable-accesslog", "--daemon-arg=--enable-bpf-stats",
                "--daemon-arg=--authz-deny=reset",
            ])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    private static let policies = """

        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: no-thieves, namespace: shop}
        spec: {action: DENY, rules: [{from: [{source: {namespaces: [elsewhere]}}]}]}
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: trial, namespace: shop, annotations: {istio.io/dry-run: "true"}}
        spec: {action: DENY, rules: [{from: [{source: {namespaces: [shop]}}]}]}

        """

    @Test func everyPanelHasSomethingToShow() throws {
        let fetched = try BuiltProgram(path: "\(Self.root)/scripts/prometheus").run([])
        try #require(fetched.status == 0, "\(fetched.errors)")
        let programs = fetched.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let mesh = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        try (mesh + Self.policies).write(toFile: node.meshFile, atomically: true, encoding: .utf8)

        let prometheus = Process()
        let output = Pipe()
        prometheus.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
        prometheus.arguments =
            [
                "--net=\(node.nodeNamespace)", "python3", "\(Self.root)/scripts/dashboards.py",
                programs, "8",
            ] + ["mesh", "node"].map { "\(Self.root)/deploy/grafana/\($0).json" }
        prometheus.standardOutput = output
        try prometheus.run()
        while prometheus.isRunning { try makeTraffic() }
        let lines = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(prometheus.terminationStatus == 0)
        try expectAnswers(lines.split(separator: "\n").map(String.init))
    }

    private func makeTraffic() throws {
        let web = "10.96.9.1"
        #expect(try node.probe("buyer", "tcp", web, "80", "10").allSatisfy { $0["pod"] != nil })
        #expect(try node.probe("thief", "tcp", web, "80")[0]["error"] != nil)
        #expect(try node.probe("buyer", "tcp", web, "9999")[0]["error"] == "ECONNREFUSED")
        // Nobody listens there, as the pod itself says.
        _ = try node.exec("buyer", ["python3", "\(SandboxNode.fixtures)/bulk.py", "refused", web, "82"])
        usleep(100_000)
    }

    private func expectAnswers(_ lines: [String]) throws {
        var queries = 0
        for line in lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            if let complaint = object["promtool"] as? String {
                #expect(complaint.isEmpty && object["status"] as? Int == 0, "promtool: \(complaint)")
                continue
            }
            queries += 1
            #expect(object["series"] as? Int ?? 0 > 0, "\(line)")
        }
        #expect(queries > 40, "\(queries) queries of both dashboards")
    }
}
