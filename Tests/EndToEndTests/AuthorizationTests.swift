/// Who reaches a pod, and who does not, under policies that come and go: by XDP and at the socket lookup.
import CKmeshABI
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class AuthorizationTests {
    let node: SandboxNode
    /// The mesh without policies.
    private let mesh: String
    private let sandboxPID: String?
    /// The policies in the mesh file.
    private var written = ""
    private let web = ("10.96.9.1", "80"), web6 = ("fd00:10:96::9:1", "80"), other = ("10.96.9.1", "81")

    init() throws {
        node = try SandboxNode(
            fixture: "authorization.yaml", name: "authz", arguments: ["--node-name", "node-a"])
        mesh = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        sandboxPID = try node.status()["pid"]
    }

    deinit {
        do {
            try? node.endDaemon(SIGTERM)
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    // One node serves all cases: making it takes longer than asking it.
    @Test func policiesDecideWhoReachesAPodByXDP() throws {
        try decideAlike(denied: "TimeoutError")
        try aDaemonThatIsAwayLeavesPoliciesInForce(denied: "TimeoutError")
        try resets()
    }

    @Test func policiesDecideWhoReachesAPodAtTheSocketLookup() throws {
        try restart("--authz-hook", "sk-lookup")
        try decideAlike(denied: "ECONNREFUSED")
        try aDaemonThatIsAwayLeavesPoliciesInForce(denied: "ECONNREFUSED")
        try ownAddressIsSubjectAndLoopbackIsNot()
    }

    // MARK: What both hooks do

    private func decideAlike(denied: String) throws {
        try expect("buyer", reaches: web)
        try expect("thief", reaches: web)
        #expect(try workload("shop/web")["attachment"] as? String == "not needed")
        try apply(allow("buyers", "{from: [{source: {principals: [cluster.local/ns/shop/sa/buyer]}}]}"))
        let form = denied == "ECONNREFUSED" ? "sk_lookup" : "xdp generic"
        #expect(try workload("shop/web")["attachment"] as? String == form)
        #expect(try workload("shop/buyer")["attachment"] as? String == "not needed")
        try expect("buyer", reaches: web)
        try expect("buyer", reaches: web6)
        try expect("thief", isDenied: denied, web)
        try expect("thief", isDenied: denied, web6)
        #expect(try node.probe("thief", "udp", web.0, "53")[0]["pod"] != nil, "UDP is not subject to policy")

        try apply(allow("namespaces", "{from: [{source: {namespaces: [else*]}}]}"))
        try expect("thief", reaches: web)
        try expect("buyer", isDenied: denied, web)

        try apply(
            allow("all", "{}"),
            deny(
                "ports", "{from: [{source: {notNamespaces: [shop]}}], to: [{operation: {ports: [\"8081\"]}}]}"
            ))
        try expect("thief", reaches: web)
        try expect("thief", isDenied: denied, other)
        try expect("buyer", reaches: other)

        let address = try #require(workload("elsewhere/thief")["addresses"] as? [String]).first ?? ""
        try apply(deny("block", "{from: [{source: {ipBlocks: [\"\(address)\"]}}]}"))
        try expect("thief", isDenied: denied, web)
        try expect("thief", reaches: web6)
        try apply(allow("nobody", nil), dryRun: true)
        try expect("thief", reaches: web)
        #expect(try reasons()["trial_denied", default: 0] > 0)

        try denialsAreLogged()
        try switching(denied: denied)
        try unknownAddressesOfAPodWithoutPoliciesPass(denied: denied)
        try aLinkThatIsTakenAwayComesBack(denied: denied)
        try establishedConnectionsEnd()
        try aStormOfChangesDeniesNobody()
        try explanations()
        try probesPass(denied: denied)
        let verified = try node.control("verify")
        #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
        try apply()
        try expect("thief", reaches: web)
    }

    /// The sandbox's own daemon keeps a log.
    private func denialsAreLogged() throws {
        let log = "\(node.directory)/daemon.log"
        guard try node.status()["pid"] == sandboxPID else { return }
        try node.wait(seconds: 5, for: "the log of a denial") {
            try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").contains {
                $0.contains("denied") && $0.contains("src.workload=elsewhere/thief")
                    && $0.contains("dst.workload=shop/web")
                    && $0.contains("policy=\"AuthorizationPolicy shop/block\"")
            }
        }
    }

    private func switching(denied: String) throws {
        try apply(allow("nobody", nil))
        try expect("buyer", isDenied: denied, web)
        #expect(try node.control("authz", "disable").status == 0)
        try expect("buyer", reaches: web)
        let client = try node.launch("buyer", "hold", web.0, web.1, "20")
        try waitForConnections(1)
        #expect(try node.control("authz", "enable").output.contains("enforced"))
        try expect("buyer", isDenied: denied, web)
        client.waitUntilExit()
        #expect(client.terminationStatus != 0, "what came in while nothing was enforced went on")
        let status = try node.control("authz", "status")
        #expect(status.output.contains("AuthorizationPolicy shop/nobody"), "\(status)")
        #expect(try reasons()["not_allowed", default: 0] >= 2)
    }

    /// An address that the pod has got after it was enrolled.
    private func unknownAddressesOfAPodWithoutPoliciesPass(denied: String) throws {
        let late = ("10.244.200.1", "8080")
        let added = try node.exec("shop/web", ["ip", "addr", "add", "\(late.0)/16", "dev", "eth0"])
        #expect(added.status == 0, "\(added)")
        try apply()
        try expect("buyer", reaches: late)
        try apply(allow("all", "{}"))
        try expect("buyer", isDenied: denied, late)
        try expect("buyer", reaches: web)
        #expect(try reasons()["no_destination", default: 0] > 0)
        try apply()
        try expect("buyer", reaches: late)
    }

    private func aLinkThatIsTakenAwayComesBack(denied: String) throws {
        try apply(allow("nobody", nil))
        let pins = try PinDirectory(
            root: "\(node.directory)/bpf", name: "authz-v\(KMESH_AUTHZ_LAYOUT_VERSION)")
        let prefix = denied == "ECONNREFUSED" ? "lookup-" : "generic-"
        let links = try pins.pinnedNames().filter { $0.hasPrefix(prefix) }
        #expect(links.count == 1, "only what a policy protects has a program: \(links)")
        for name in links {
            guard let pinned = try pins.open(name) else { throw Errno.noEntry }
            try BPFLink(pinned).detach()
        }
        try node.wait(seconds: 5, for: "the programs") { try node.control("verify").status == 0 }
        try expect("buyer", isDenied: denied, web)
    }

    private func establishedConnectionsEnd() throws {
        try apply()
        let thief = try node.launch("thief", "hold", web.0, web.1, "20")
        let buyer = try node.launch("buyer", "hold", web.0, web.1, "2")
        try waitForConnections(2)
        try apply(deny("thieves", "{from: [{source: {namespaces: [elsewhere]}}]}"))
        thief.waitUntilExit()
        buyer.waitUntilExit()
        #expect(thief.terminationStatus != 0, "a connection that is forbidden now went on")
        #expect(buyer.terminationStatus == 0, "a connection that is allowed was ended")
        #expect(try authorization()["endedConnections"] as? Int ?? 0 > 0)
    }

    /// Two policies that both allow the client take turns: never a moment in which neither does.
    private func aStormOfChangesDeniesNobody() throws {
        let first = allow("turns", "{from: [{source: {namespaces: [shop]}}]}")
        let second = allow("turns", "{from: [{source: {principals: [\"*/sa/buyer\"]}}]}")
        try apply(first)
        let client = try node.launch("buyer", "connects", web.0, web.1, "4")
        for turn in 0..<40 {
            try write(turn % 2 == 0 ? second : first)
            usleep(60_000)
        }
        client.waitUntilExit()
        let answer = try #require(client.lines().last)
        #expect(answer["failed"] == "0" && Int(answer["connected"] ?? "") ?? 0 > 100, "\(answer)")
    }

    private func explanations() throws {
        try apply(allow("buyers", "{from: [{source: {namespaces: [shop]}}]}"))
        let allowed = try node.control("authz", "explain", "shop/buyer", "shop/web", "8080")
        #expect(
            allowed.status == 0 && allowed.output.contains("AuthorizationPolicy shop/buyers"), "\(allowed)")
        let denied = try node.control("authz", "explain", "elsewhere/thief", "shop/web", "8080")
        #expect(denied.status == 1 && denied.output.contains("DENY"), "\(denied)")
        #expect(denied.output.contains("cluster.local/ns/elsewhere/sa/thief"), "\(denied)")
        let kernel = denied.output.split(separator: "\n").first { $0.hasPrefix("kernel") }
        #expect(kernel?.contains("deny") == true, "\(denied)")
        let unknown = try node.control("authz", "explain", "shop/nobody", "shop/web", "8080")
        #expect(unknown.status != 0 && unknown.errors.contains("no pod shop/nobody"), "\(unknown)")
    }

    /// The node's own address is the only one that probes come from, and passes at the probe's port alone.
    private func probesPass(denied: String) throws {
        try apply(allow("nobody", nil))
        let pod = try workload("shop/web")
        let address = try #require((pod["addresses"] as? [String])?.first)
        #expect(pod["probePorts"] as? [Int] == [8081])
        #expect(try dialFromNode(address, "8081") == "connected")
        #expect(try dialFromNode(address, "8080") == denied)
        #expect(try reasons()["probe_passed", default: 0] > 0)
    }

    private func aDaemonThatIsAwayLeavesPoliciesInForce(denied: String) throws {
        try apply(allow("buyers", "{from: [{source: {namespaces: [shop]}}]}"))
        let before = try reasons()["not_allowed", default: 0]
        try node.endDaemon(SIGKILL)
        try expect("buyer", reaches: web)
        try expect("thief", isDenied: denied, web)
        let hook = denied == "ECONNREFUSED" ? "sk-lookup" : "xdp"
        _ = try node.startDaemon("--authz-hook", hook)
        #expect(try reasons()["not_allowed", default: 0] > before, "counters outlive the daemon")
        try expect("thief", isDenied: denied, web)
        try expect("buyer", reaches: web)
        let writes = try #require(Int(node.status()["engine.writes"] ?? ""))
        #expect(writes <= 10, "an unchanged restart wrote \(writes) entries")
        #expect(try node.control("verify").status == 0)
    }

    // MARK: What one hook does

    private func resets() throws {
        try restart("--authz-deny", "reset")
        try apply(allow("buyers", "{from: [{source: {namespaces: [shop]}}]}"))
        try expect("buyer", reaches: web)
        try expect("thief", isDenied: "ECONNREFUSED", web)
        try expect("thief", isDenied: "ECONNREFUSED", web6)
        // Without checksums by the interfaces a SYN comes with a whole one, and the reset needs one.
        for pod in ["elsewhere/thief", "shop/web"] {
            let outcome = try node.exec(pod, ["python3", "-c", Self.endChecksumOffload, "eth0"])
            #expect(outcome.status == 0, "\(outcome)")
            try expect("thief", isDenied: "ECONNREFUSED", web)
            try expect("thief", isDenied: "ECONNREFUSED", web6)
        }
        #expect(try reasons()["reset_sent", default: 0] >= 6)
        let refused = try node.refusal("--authz-hook", "sk-lookup", "--authz-deny", "drop")
        #expect(refused.status != 0 && refused.errors.contains("--authz-deny=drop"), "\(refused)")
    }

    private func ownAddressIsSubjectAndLoopbackIsNot() throws {
        try apply(allow("nobody", nil))
        let dial = { [node] (address: String) in
            try node.exec("shop/web", ["python3", "-c", Self.dial, address, "8080"]).output
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        #expect(try dial("127.0.0.1") == "connected")
        let address = try #require((workload("shop/web")["addresses"] as? [String])?.first)
        #expect(try dial(address) == "ECONNREFUSED")
    }

    // MARK: Steps

    /// Connections to the pod, whoever has made them.
    private func waitForConnections(_ count: Int) throws {
        try node.wait(for: "\(count) connections") {
            try node.exec("shop/web", ["ss", "-Htn", "state", "established"]).output
                .split(separator: "\n").count >= count
        }
    }

    private func allow(_ name: String, _ rule: String?) -> String { policy(name, "ALLOW", rule) }

    private func deny(_ name: String, _ rule: String) -> String { policy(name, "DENY", rule) }

    private func policy(_ name: String, _ action: String, _ rule: String?) -> String {
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: \(name), namespace: shop, annotations: {}}
        spec:
          selector: {matchLabels: {app: web}}
          action: \(action)
          rules: [\(rule ?? "")]
        """
    }

    /// Puts these policies, and no others, in force.
    private func apply(_ policies: String..., dryRun: Bool = false) throws {
        let texts =
            dryRun
            ? policies.map {
                $0.replacing("annotations: {}", with: "annotations: {istio.io/dry-run: \"true\"}")
            }
            : policies
        let text = texts.joined(separator: "\n---\n")
        guard text != written else { return }
        let updates = Int(try node.status()["updates"] ?? "") ?? 0
        try write(text)
        try node.wait(seconds: 10, for: "the policies") {
            try Int(node.status()["updates"] ?? "") ?? 0 > updates
        }
        #expect(try node.status()["rejected"] == "0")
    }

    private func write(_ policies: String) throws {
        written = policies
        try (mesh + "\n---\n" + policies + "\n").write(
            toFile: node.meshFile, atomically: true, encoding: .utf8)
    }

    private func restart(_ arguments: String...) throws {
        try node.endDaemon(SIGTERM)
        _ = try node.launchDaemon(arguments)
        try node.wait(seconds: 10, for: "the daemon's answer") { try node.control("status").status == 0 }
    }

    private func expect(_ pod: String, reaches address: (String, String)) throws {
        let answers = try node.probe(pod, "tcp", address.0, address.1)
        #expect(answers[0]["pod"] != nil, "\(pod) to \(address): \(answers)")
    }

    private func expect(_ pod: String, isDenied error: String, _ address: (String, String)) throws {
        let answers = try node.probe(pod, "tcp", address.0, address.1)
        #expect(answers[0]["error"] == error, "\(pod) to \(address): \(answers)")
    }

    /// ETHTOOL_STXCSUM by SIOCETHTOOL.
    private static let endChecksumOffload = """
        import ctypes, fcntl, socket, struct, sys
        value = ctypes.create_string_buffer(struct.pack("II", 0x17, 0))
        request = struct.pack("16sP", sys.argv[1].encode(), ctypes.addressof(value))
        fcntl.ioctl(socket.socket(), 0x8946, request.ljust(40, b"\\0"))
        """

    private static let dial = """
        import errno, socket, sys
        try:
            socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
            print("connected")
        except OSError as error:
            print(errno.errorcode.get(error.errno, type(error).__name__))
        """

    private func dialFromNode(_ address: String, _ port: String) throws -> String {
        let outcome = try BuiltProgram(path: "/usr/bin/nsenter").run([
            "--net=\(node.nodeNamespace)", "python3", "-c", Self.dial, address, port,
        ])
        return outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func authorization() throws -> [String: Any] {
        let outcome = try node.control("authz", "status", "-o", "json")
        return try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any] ?? [:]
    }

    private func reasons() throws -> [String: Int] {
        let rows = try authorization()["reasons"] as? [[String: Any]] ?? []
        return Dictionary(
            uniqueKeysWithValues: rows.compactMap { row in
                guard let name = row["name"] as? String, let count = row["count"] as? Int else { return nil }
                return (name, count)
            })
    }

    private func workload(_ pod: String) throws -> [String: Any] {
        let workloads = try authorization()["workloads"] as? [[String: Any]] ?? []
        return try #require(workloads.first { $0["pod"] as? String == pod })
    }
}
