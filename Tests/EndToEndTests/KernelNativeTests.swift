/// The kernel-native engine where the kernel module is missing. What it does with it is tested in a guest.
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class KernelNativeTests {
    let node: SandboxNode
    private let native = ["--mode", "kernel-native", "--load-module", "off"]
    private let routed = "10.96.7.1", plain = "10.96.7.2", limited = "10.96.7.200"

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "native", arguments: ["--node-name", "node-a"])
        let mesh = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        try (mesh + Self.route).write(toFile: node.meshFile, atomically: true, encoding: .utf8)
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    /// Requests to web at port 80 are for the endpoints of another service.
    private static let route = """
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: web}
        spec:
          parentRefs: [{group: "", kind: Service, name: web, port: 80}]
          rules:
          - matches: [{path: {value: /nowhere}}]
            backendRefs: [{name: web-headless, port: 8080}]
          - backendRefs: [{name: web-sticky, port: 80}]
        """

    private static let limit = """

        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web-limited, annotations: {kmesh.net/max-connections: "1"}}
        spec:
          clusterIPs: [10.96.7.200]
          selector: {app: web}
          ports: [{port: 80, targetPort: http}]
        """

    private var pins: [String] { (try? Files.list("\(node.directory)/bpf/kmesh")) ?? [] }

    private func answers(_ address: String, port: String = "80") throws -> [Bool] {
        try node.probe("client", "tcp", address, port, "3").map { $0["pod"] != nil }
    }

    // One node serves all cases: making it takes longer than asking it.
    @Test func withoutTheModuleRoutesFollowTheFallback() throws {
        try aChangeOfTheModeIsTakenUp()
        try servicesWithRoutesAreRefused()
        try aRestartTakesOver()
        try connectionsAreCountedOnceAServiceLimitsThem()
        try theFallbackMayBeTheServiceItself()
        try theWayBackIsOpen()
    }

    private func aChangeOfTheModeIsTakenUp() throws {
        #expect(try answers(routed) == [true, true, true], "the dual engine knows no routes")
        try node.endDaemon(SIGTERM)
        #expect(pins.contains { $0.hasPrefix("dual-engine-v") })
        _ = try node.startDaemon(native)
        #expect(!pins.contains { $0.hasPrefix("dual-engine-v") }, "\(pins)")
        #expect(pins.contains("kernel-native-v1"))
        #expect(try answers(plain) == [true, true, true])
    }

    private func servicesWithRoutesAreRefused() throws {
        let status = try #require(node.daemonStatus())
        #expect(status.mode == "kernel-native")
        #expect(status.readinessNote?.contains("module kmesh is not loaded") == true)
        #expect(status.readinessNote?.contains("--l7-fallback=refuse") == true)
        #expect(try answers(routed) == [false, false, false])
        #expect(try answers(routed, port: "81") == [true, true, true], "a port without routes")
        #expect(try node.reasonCounts()["no_http"] == 3)
        let verified = try node.control("verify")
        #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
        let dump = try node.control("dump", "--bpf", "km_listener").output
        #expect(dump.contains(routed) && !dump.contains(plain), "\(dump)")
    }

    private func aRestartTakesOver() throws {
        let clusters = { [node] in try node.control("dump", "--bpf", "km_cluster").output }
        let known = try clusters()
        #expect(known.contains("web-headless"), "a service without an address that leads to it: \(known)")
        try node.endDaemon(SIGKILL)
        #expect(try answers(plain) == [true, true, true], "nobody is there")
        #expect(try answers(routed) == [false, false, false])
        _ = try node.startDaemon(native)
        #expect(node.daemonStatus()?.adopted == true)
        #expect(try clusters() == known)
        let writes = try #require(Int(node.status()["engine.writes"] ?? ""))
        #expect(writes <= 10, "an unchanged restart wrote \(writes) entries")
        #expect(try answers(plain) == [true, true, true])
        #expect(try node.control("verify").status == 0)
    }

    private func connectionsAreCountedOnceAServiceLimitsThem() throws {
        let link = "kernel-native-v1/link_sock_release"
        let isAttached = { [node] in Files.exists("\(node.directory)/bpf/kmesh/\(link)") }
        #expect(!isAttached(), "nothing counts yet")
        let mesh = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        try (mesh + Self.limit).write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        try node.wait(for: "the limit") {
            try node.control("dump", "--bpf", "km_limit").output.contains("web-limited")
        }
        #expect(isAttached())
        let before = try node.reasonCounts()["steered", default: 0]
        let holder = try node.launch("client", "hold", limited, "80", "3")
        try node.wait(for: "the connection") { try node.reasonCounts()["steered", default: 0] > before }
        #expect(try answers(limited) == [false, false, false])
        #expect(try node.reasonCounts()["max_connections"] == 3)
        holder.waitUntilExit()
        #expect(try answers(limited) == [true, true, true], "who has gone counts no more")
    }

    private func theFallbackMayBeTheServiceItself() throws {
        try node.endDaemon(SIGTERM)
        _ = try node.startDaemon(native + ["--l7-fallback", "default"])
        #expect(try answers(routed) == [true, true, true])
        try node.endDaemon(SIGTERM)
        _ = try node.startDaemon(native + ["--l7-fallback", "waypoint"])
        #expect(try answers(routed) == [false, false, false], "it has no waypoint")
    }

    private func theWayBackIsOpen() throws {
        try node.endDaemon(SIGTERM)
        _ = try node.startDaemon([])
        #expect(try answers(routed) == [true, true, true])
        #expect(!pins.contains { $0.hasPrefix("kernel-native") }, "\(pins)")
        try node.endDaemon(SIGTERM)
        let removed = try BuiltProgram.built("kmesh-daemon").run([
            "uninstall", "--bpf-fs-path", "\(node.directory)/bpf", "--state-dir", "\(node.directory)/state",
        ])
        #expect(removed.status == 0, "\(removed)")
        #expect(pins.isEmpty, "\(pins)")
    }
}
