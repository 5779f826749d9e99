/// A start over what an earlier run left: it is taken over at once, and the configuration read meanwhile.
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class AdoptionTests {
    let node: SandboxNode
    private let web = ("10.96.7.1", "80")

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "adopt", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    private func expectSteering(to address: String, _ comment: Comment) throws {
        let answers = try node.probe("client", "tcp", address, "80", "5")
        #expect(answers.allSatisfy { $0["peer"] == "\(address):80" && $0["pod"] != nil }, comment)
        #expect(answers.count == 5, comment)
    }

    @Test func aConfigurationThatIsNotGoodYetIsAwaited() throws {
        let good = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        try node.endDaemon(SIGTERM)
        try Files.remove(node.meshFile)
        let daemon = try node.launchDaemon([])
        defer { daemon.end() }
        try node.wait(for: "the answer") { node.daemonStatus()?.lastConfigurationError != nil }
        var status = try #require(node.daemonStatus())
        #expect(status.adopted && !status.isConfigured && status.updates == 0 && status.enrolled == 8)
        #expect(status.lastConfigurationError?.contains("\(node.meshFile): cannot be read") == true)
        let verified = try node.control("verify")
        #expect(verified.status != 0 && verified.errors.contains("before the first configuration"))
        try expectSteering(to: "10.96.7.1", "without a configuration")
        try expectSteering(to: "10.96.7.2", "without a configuration")

        // Without one of the services, and cut off.
        let less = good.replacingOccurrences(of: "10.96.7.2", with: "10.96.7.22")
        try (less + "- [").write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        try node.wait(for: "the refusal") {
            node.daemonStatus()?.lastConfigurationError?.contains("mesh.yaml:") == true
        }
        try expectSteering(to: "10.96.7.2", "it goes with a good configuration only")

        try less.write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        try node.wait(for: "the configuration") { node.daemonStatus()?.isConfigured == true }
        status = try #require(node.daemonStatus())
        #expect(status.adopted && status.lastConfigurationError == nil && status.updates == 1)
        try expectSteering(to: "10.96.7.1", "as before")
        try expectSteering(to: "10.96.7.22", "new")
        #expect(try node.probe("client", "tcp", "10.96.7.2", "80")[0]["error"] != nil, "it has vanished")
        #expect(try node.control("verify").status == 0)
    }

    @Test func withoutPinsABadConfigurationEndsTheStart() throws {
        try node.endDaemon(SIGTERM)
        let removed = try BuiltProgram.built("kmesh-daemon").run([
            "uninstall", "--bpf-fs-path", "\(node.directory)/bpf", "--state-dir", "\(node.directory)/state",
        ])
        #expect(removed.status == 0, "\(removed)")
        let good = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        try (good + "- [").write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        let refused = try node.refusal()
        #expect(refused.status == 1 && refused.errors.contains("mesh.yaml:"), "\(refused)")
        #expect(!Files.exists("\(node.directory)/bpf/kmesh"))
        try good.write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        let daemon = try node.startDaemon()
        defer { daemon.end() }
        #expect(node.daemonStatus()?.adopted == false)
    }
}
