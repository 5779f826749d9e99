/// A daemon that takes over from one that runs, while traffic runs.
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class TakeoverTests {
    let node: SandboxNode
    private let web = ("10.96.7.1", "80")

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "takeover", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    /// Starts a daemon with `--takeover`; the process ids before and after.
    private func takeOver(_ arguments: String...) throws -> (Process, before: Int32, after: Int32) {
        let before = try #require(node.daemonStatus()).pid
        let daemon = try node.launchDaemon(["--takeover"] + arguments)
        try node.wait(for: "the takeover") {
            node.hasEnded(before) && node.daemonStatus()?.isConfigured == true
        }
        return (daemon, before, try #require(node.daemonStatus()).pid)
    }

    @Test func connectionsNoticeNothing() throws {
        // Whatever its flags say about its end.
        try node.endDaemon(SIGTERM)
        let first = try node.startDaemon("--on-exit", "remove")
        let held = try node.launch("client", "hold", web.0, web.1, "600")
        let dialing = try node.launch("client", "connects", web.0, web.1, "600")
        usleep(300_000)
        let (second, before, after) = try takeOver()
        defer { second.end() }
        #expect(before == first.processIdentifier && after == second.processIdentifier)
        first.waitUntilExit()
        #expect(first.terminationStatus == 0)
        let connects = try #require(dialing.finish().first)
        #expect(connects["failed"] == "0" && Int(connects["connected"] ?? "") ?? 0 > 50, "\(connects)")
        #expect(try held.finish().first?["peer"] == "10.96.7.1:80")
        #expect(node.daemonStatus()?.adopted == true && node.daemonStatus()?.enrolled == 8)
        #expect(try node.control("verify").status == 0)

        // And without the flag a third is refused, which names it.
        let refused = try node.refusal()
        #expect(refused.status == 1 && refused.errors.contains("--takeover"), "\(refused)")
    }

    /// One that does not answer is killed after ten seconds.
    @Test func aDaemonThatHangsIsKilled() throws {
        let hanging = try #require(node.daemonStatus()).pid
        let held = try node.launch("client", "hold", web.0, web.1, "600")
        kill(hanging, SIGSTOP)
        let start = Date()
        let daemon = try node.launchDaemon(["--takeover"])
        defer { daemon.end() }
        try node.wait(for: "the end of the daemon that hangs") { node.hasEnded(hanging) }
        #expect(Date().timeIntervalSince(start) > 9, "it has its time")
        try node.wait(for: "the takeover") { node.daemonStatus()?.isConfigured == true }
        #expect(node.daemonStatus()?.pid == daemon.processIdentifier)
        #expect(try Int(held.finish().first?["answers"] ?? "") ?? 0 > 100)
        #expect(try node.control("verify").status == 0)
    }

    /// Its pods would be withdrawn: it is not taken over from.
    @Test func aDaemonWithAnotherStateDirectoryIsLeftAlone() throws {
        let other = "\(node.directory)/other"
        let refused = try BuiltProgram(path: "/usr/bin/timeout").run(
            ["30", BuiltProgram.built("kmesh-daemon").path] + node.daemonArguments + [
                "--takeover", "--state-dir", other, "--admin-socket", "\(other)/kmesh.sock",
            ])
        #expect(refused.status == 1 && refused.errors.contains("another daemon uses it"), "\(refused)")
        #expect(try node.control("verify").status == 0)
    }
}
