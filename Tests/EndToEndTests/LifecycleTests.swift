/// The daemon's life beside running traffic: killed, started again, given bad files, taken away.
import CKmeshABI
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class LifecycleTests {
    let node: SandboxNode
    private let web = ("10.96.7.1", "80")

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "life", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    private func expectSteering(_ comment: Comment) throws {
        let answers = try node.probe("client", "tcp", web.0, web.1, "10")
        #expect(answers.allSatisfy { $0["peer"] == "10.96.7.1:80" && $0["pod"] != nil }, comment)
        #expect(answers.count == 10, comment)
    }

    @Test func trafficOutlivesAKilledDaemonAndTheNextTakesOver() throws {
        let before = try node.control("dump", "services", "-o", "json").output
        let client = try node.launch("client", "hold", web.0, web.1, "3")
        try node.endDaemon(SIGKILL)
        try expectSteering("while no daemon runs")
        let daemon = try node.startDaemon()
        defer { daemon.end() }
        try expectSteering("after the next start")

        #expect(try node.control("dump", "services", "-o", "json").output == before, "ids and slots stay")
        let writes = try #require(Int(node.status()["engine.writes"] ?? ""))
        #expect(writes <= 10, "an unchanged restart wrote \(writes) entries")
        #expect(try node.status()["enrolled"] == "8")
        let verified = try node.control("verify")
        #expect(verified.status == 0, "\(verified.output)")

        client.waitUntilExit()
        #expect(client.terminationStatus == 0, "the held connection broke")
        try endAndRemove(daemon)
    }

    /// `uninstall` while nothing runs: no pin is left, and the client's traffic is its own again.
    private func endAndRemove(_ daemon: Process) throws {
        let refused = try uninstall()
        #expect(refused.status != 0 && refused.errors.contains("runs already"), "\(refused)")
        try node.endDaemon(SIGTERM)
        daemon.waitUntilExit()
        #expect(daemon.terminationStatus == 0)
        try expectSteering("after SIGTERM, by the pins")
        let removed = try uninstall()
        #expect(removed.status == 0, "\(removed)")
        #expect(!FileManager.default.fileExists(atPath: "\(node.directory)/bpf/kmesh"))
        let answers = try node.probe("client", "tcp", web.0, web.1)
        #expect(answers[0]["error"] != nil, "\(answers)")
    }

    private func uninstall() throws -> BuiltProgram.Outcome {
        try BuiltProgram.built("kmesh-daemon").run([
            "uninstall", "--bpf-fs-path", "\(node.directory)/bpf", "--state-dir", "\(node.directory)/state",
        ])
    }

    @Test func aBadFileLeavesTheRunningConfiguration() throws {
        let good = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        for (bad, complaint) in [
            (good + "\n- [", "mesh.yaml:"), ("", "empty"),
            (good.replacingOccurrences(of: "selector:", with: "selectr:"), "selectr"),
            (good.replacingOccurrences(of: "10.96.7.2", with: "10.96.7.1"), "10.96.7.1"),
            (good.replacingOccurrences(of: "10.96.7.2", with: "10.96.7.1.1"), "10.96.7.1.1"),
        ] {
            let count = try #require(Int(node.status()["badConfigurations"] ?? ""))
            try bad.write(toFile: node.meshFile, atomically: true, encoding: .utf8)
            try node.wait(for: "the refusal of \(complaint)") {
                try Int(node.status()["badConfigurations"] ?? "") ?? 0 > count
            }
            let error = try node.status()["lastConfigurationError"] ?? ""
            #expect(error.contains(complaint), "\(error)")
            try expectSteering("after \(complaint)")
        }
        try good.write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        try node.wait(for: "the good file") {
            try node.control("status", "-o", "json").output.contains("\"lastConfigurationError\": null")
                || node.status()["lastConfigurationError"] == "<null>"
        }
        #expect(try node.control("verify").status == 0)
    }

    @Test func anUnconnectedSocketMovesWhenItsEndpointGoes() throws {
        let client = try node.launch("client", "sticky", "10.96.7.6", "53", "8")
        usleep(500_000)
        try node.scale("names", to: 1)
        client.waitUntilExit()
        let answers = try client.lines()
        let pods = answers.compactMap { $0["pod"] }
        #expect(Set(pods).count <= 2, "one endpoint, and then at most one other: \(pods)")
        #expect(answers.suffix(5).allSatisfy { $0["pod"] != nil }, "\(answers.suffix(5))")
        #expect(answers.allSatisfy { $0["sender"] == nil || $0["sender"] == "10.96.7.6:53" })
    }

    @Test func mapsThatWereChangedMeanwhileAreRepairedByTheNextStart() throws {
        try node.endDaemon(SIGTERM)
        let pins = try PinDirectory(
            root: "\(node.directory)/bpf", name: "dual-engine-v\(KMESH_LAYOUT_VERSION)")
        guard let pin = try pins.open("km_endpoint") else {
            Issue.record("km_endpoint is not pinned in \(pins.path)")
            return
        }
        let map = try BPFMap<EndpointKey, EndpointValue>(pin, name: "km_endpoint")
        let key = try #require(map.contents().entries.keys.first)
        try map.remove([key])
        let daemon = try node.startDaemon()
        defer { daemon.end() }
        let repaired = try node.control("verify")
        #expect(repaired.status == 0, "a restart repairs the maps: \(repaired.output)")
        #expect(try node.status()["engine.drift"] == "0")
    }

    @Test func pinsBelongToOneDaemonAndKeepTheirCapacities() throws {
        let other = "\(node.directory)/other"
        let second = try node.refusal("--state-dir", other, "--admin-socket", "\(other)/kmesh.sock")
        #expect(second.status != 0 && second.errors.contains("another daemon"), "\(second)")
        let uninstall = try BuiltProgram.built("kmesh-daemon").run([
            "uninstall", "--bpf-fs-path", "\(node.directory)/bpf", "--state-dir", other,
        ])
        #expect(uninstall.status != 0 && uninstall.errors.contains("another daemon"), "\(uninstall)")
        #expect(try node.control("verify").status == 0, "the first daemon's maps are untouched")

        try node.endDaemon(SIGTERM)
        let daemon = try node.startDaemon("--max-endpoints", "2000000")
        defer { daemon.end() }
        try expectSteering("with the maps that are pinned")
        let maps = try node.control("dump", "maps").output
        #expect(maps.contains("1048576") && !maps.contains("2000000"), "\(maps)")
    }

    /// A first start that cannot attach leaves nothing that the next one would adopt.
    @Test func aFailedFirstStartLeavesNoPins() throws {
        try node.endDaemon(SIGTERM)
        #expect(try uninstall().status == 0)
        let failed = try node.refusal("--cgroup2-path", node.directory)
        #expect(failed.status != 0 && failed.errors.contains("no cgroup v2 directory"), "\(failed)")
        #expect(!FileManager.default.fileExists(atPath: "\(node.directory)/bpf/kmesh"))
    }

    @Test func flagsDecideWhatAMissingEndpointMeans() throws {
        try node.endDaemon(SIGTERM)
        let daemon = try node.startDaemon("--no-endpoint", "pass")
        defer { daemon.end() }
        let answers = try node.probe("client", "tcp", "10.96.7.5", "80")
        #expect(answers[0]["error"] != nil && answers[0]["error"] != "ECONNREFUSED", "\(answers)")
        #expect(try node.reasonCounts()["no_endpoint_passed", default: 0] > 0)
        let second = try node.launchDaemon([])
        second.waitUntilExit()
        #expect(second.terminationStatus != 0, "a second daemon refuses to start")
        try expectSteering("beside the refused one")
    }
}
