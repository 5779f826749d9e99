/// A daemon that starts over the pins of a build with another layout, while traffic runs.
import CKmeshABI
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class MigrationTests {
    let node: SandboxNode
    private let web = ("10.96.7.1", "80")
    private let earlier: EarlierDataplane

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "migrate", arguments: ["--node-name", "node-a"])
        earlier = try EarlierDataplane(root: "\(node.directory)/bpf", cgroup: node.cgroup)
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    private var root: String { "\(node.directory)/bpf" }

    private func goBackToLayout3() throws {
        try node.endDaemon(SIGTERM)
        try earlier.install()
        #expect(try Files.list("\(root)/kmesh") == ["authz-v1", "dual-engine-v3", "telemetry-v1"])
        try expectSteering("by the programs of layout 3")
    }

    private func expectSteering(_ comment: Comment) throws {
        let answers = try node.probe("client", "tcp", web.0, web.1, "10")
        #expect(answers.allSatisfy { $0["peer"] == "10.96.7.1:80" && $0["pod"] != nil }, comment)
        #expect(answers.count == 10, comment)
    }

    @Test func aDaemonOfTheNextLayoutTakesOverUnderTraffic() throws {
        let services = try node.control("dump", "services", "-o", "json").output
        let enrolled = try node.control("dump", "enrolled", "-o", "json").output
        let steered = try node.reasonCounts()["steered", default: 0]
        try goBackToLayout3()
        let held = try node.launch("client", "hold", web.0, web.1, "600")
        let sticky = try node.launch("client", "sticky", "10.96.7.6", "53", "600")
        let dialing = try node.launch("client", "connects", web.0, web.1, "600")
        usleep(500_000)
        let daemon = try node.startDaemon()
        defer { daemon.end() }
        usleep(300_000)
        let connects = try #require(dialing.finish().first)
        #expect(connects["failed"] == "0" && Int(connects["connected"] ?? "") ?? 0 > 50, "\(connects)")
        let answers = try #require(held.finish().first)
        #expect(answers["peer"] == "10.96.7.1:80", "what was dialed before: \(answers)")
        #expect(Int(answers["answers"] ?? "") ?? 0 > 5, "\(answers)")
        let pods = try sticky.finish()
        #expect(Set(pods.compactMap { $0["pod"] }).count == 1, "a UDP session survives: \(pods)")
        #expect(pods.allSatisfy { $0["sender"] == "10.96.7.6:53" })

        #expect(
            try Files.list("\(root)/kmesh")
                == ["authz-v1", "dual-engine-v\(KMESH_LAYOUT_VERSION)", "telemetry-v1"])
        #expect(try node.control("dump", "services", "-o", "json").output == services, "ids stay")
        #expect(try node.control("dump", "enrolled", "-o", "json").output == enrolled)
        #expect(try node.reasonCounts()["steered", default: 0] > steered + 50, "counters go on")
        #expect(try Int(node.status()["engine.writes"] ?? "") ?? 99 <= 10)
        let verified = try node.control("verify")
        #expect(verified.status == 0, "\(verified.output)")
        try expectSteering("after the migration")
    }

    /// A link that cannot take the new program: everything is as before, and steers.
    @Test func aMigrationThatFailsIsUndone() throws {
        try goBackToLayout3()
        // The last hook in order, in whose place there is now a link of another type.
        let kept = try EarlierDataplane.open("link_connect6", in: earlier.pins)
        try earlier.pins.unpin("link_connect6")
        let other = try EarlierDataplane.open("link_sockops", in: earlier.pins)
        try earlier.pins.pin(other, as: "link_connect6")
        let before = try EarlierDataplane.programs(of: earlier.pins)

        let failed = try node.refusal()
        #expect(failed.status != 0 && failed.errors.contains("steer on as before"), "\(failed)")
        #expect(failed.errors.contains("dual-engine-v3 to layout \(KMESH_LAYOUT_VERSION)"), "\(failed)")
        #expect(failed.errors.contains("connect6"), "\(failed)")
        #expect(try Files.list("\(root)/kmesh") == ["authz-v1", "dual-engine-v3", "telemetry-v1"])
        #expect(try EarlierDataplane.programs(of: earlier.pins) == before, "the former programs are back")
        try expectSteering("by what was there before")

        // The cause is away, and a crash of another attempt has left something: the next start goes on.
        try earlier.pins.unpin("link_connect6")
        try earlier.pins.pin(kept, as: "link_connect6")
        try earlier.current.stage()
        try earlier.current.pinStaged(kept, as: "link_connect6")
        let daemon = try node.startDaemon()
        defer { daemon.end() }
        #expect(
            try Files.list("\(root)/kmesh")
                == ["authz-v1", "dual-engine-v\(KMESH_LAYOUT_VERSION)", "telemetry-v1"])
        #expect(try node.control("verify").status == 0)
        try expectSteering("after the second attempt")
    }

    /// A link whose cgroup is not the wanted one, or that is missing, is attached anew.
    @Test func whatTheEarlierLayoutLacksIsAttached() throws {
        try goBackToLayout3()
        try earlier.pins.unpin("link_connect4")
        #expect(try node.probe("client", "tcp", web.0, web.1)[0]["error"] != nil)
        let daemon = try node.startDaemon()
        defer { daemon.end() }
        try expectSteering("after the migration")
    }

    @Test func pinsOfANewerLayoutAreLeftAlone() throws {
        try node.endDaemon(SIGTERM)
        for (name, part) in [("dual-engine-v99", "link_connect4"), ("authz-v99", "km_reason")] {
            let newer = try PinDirectory(root: root, name: name)
            try newer.stage()
            try newer.pinStaged(try EarlierDataplane.open("link_connect4", in: earlier.current), as: part)
            try newer.commit()
            let programs = try EarlierDataplane.programs(of: earlier.current)
            let refused = try node.refusal()
            let complaint = "\(root)/kmesh/\(name) is of a newer build"
            #expect(refused.status != 0 && refused.errors.contains(complaint), "\(refused)")
            #expect(refused.errors.contains("kmesh-daemon uninstall"))
            #expect(try EarlierDataplane.programs(of: earlier.current) == programs)
            try expectSteering("beside \(name)")
            if name == "dual-engine-v99" { try newer.removeAll() }
        }
        // What nobody else can remove goes with the rest.
        let removed = try BuiltProgram.built("kmesh-daemon").run([
            "uninstall", "--bpf-fs-path", root, "--state-dir", "\(node.directory)/state",
        ])
        #expect(removed.status == 0, "\(removed)")
        #expect(!Files.exists("\(root)/kmesh"))
    }
}
