import Glibc
import KmeshKit
import KmeshYAML
import Testing

@testable import KmeshSandbox

private let mesh = """
    kind: Service
    metadata: {name: web}
    spec: {ipFamilyPolicy: PreferDualStack, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
    ---
    kind: Service
    metadata: {name: all}
    spec: {clusterIP: None, selector: {app: web}, ports: [{port: 8080}, {port: 53, protocol: UDP}]}

    """ + deployment("web", replicas: 2)
        + """
        ---
        kind: Pod
        metadata: {name: client}
        spec: {containers: [{name: c, command: [sleep, infinity], env: [{name: COLOUR, value: green}]}]}
        ---
        kind: Pod
        metadata: {name: host}
        spec: {hostNetwork: true, containers: [{name: c, ports: [{containerPort: 7777}]}]}

        """

@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: makes network namespaces and cgroups"))
struct SandboxLifecycleTests {
    /// Beside the test bundle.
    private let server: String
    private let file: String
    private let sandbox: Sandbox

    init() throws {
        let bundle = try Files.linkTarget("/proc/self/exe")
        server = bundle.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/kmesh-sandbox"
        let name = "test-\(getpid())-\(UInt16.random(in: 0...UInt16.max))"
        file = "/tmp/\(name).yaml"
        sandbox = try Sandbox(name: name)
    }

    /// Runs with the sandbox up, and checks that nothing of it stays behind.
    private func withSandbox(_ text: String = mesh, _ work: (Sandbox) throws -> Void) throws {
        let before = try Traces(sandbox)
        #expect(before.isClean)
        try Files.overwrite(file, with: Array(text.utf8))
        defer { try? Files.remove(file) }
        do {
            try sandbox.up(file: file, serverPath: server)
            try work(sandbox)
        } catch {
            try sandbox.down()
            throw error
        }
        try sandbox.down()
        let after = try Traces(sandbox)
        #expect(after.isClean, "\(after)")
        #expect(after.links == before.links)
    }

    @Test func podsReachEachOther() throws {
        try withSandbox { sandbox in
            let status = try sandbox.status()
            #expect(status.isUp && status.pods.count == 4 && status.daemon == .none)
            #expect(status.pods.allSatisfy { $0.processes.count == 1 })
            let web = try #require(status.pods.first { $0.name.hasPrefix("web-") })
            for address in web.addresses {
                let target = SocketAddress(address, 8080)
                let answer = try sandbox.run(
                    ["curl", "-s", "-m", "5", "http://\(target)/path"], in: "client"
                ).text
                #expect(answer.contains("pod: \(web.name)\nnamespace: default\nfrom: "))
                #expect(answer.hasSuffix("request: GET /path\nat: \(target)\n"), "\(answer)")
            }
            // By the name of the headless service, which leads to pods.
            #expect(try sandbox.run(["curl", "-s", "-m", "5", "http://all:8080/"], in: "client").code == 0)
            #expect(
                try sandbox.run(["curl", "-s", "-m", "5", "http://10.244.0.1:7777/"], in: "client").code == 0)
        }
    }

    @Test func aServiceAddressFailsFastWhenNobodySteers() throws {
        try withSandbox { sandbox in
            let start = ContinuousClock.now
            let outcome = try sandbox.run(["curl", "-s", "-m", "5", "http://web/"], in: "client")
            #expect(outcome.code == 7)
            #expect(ContinuousClock.now - start < .seconds(1))
        }
    }

    @Test func ownProgramsRunBesideTheBuiltInServer() throws {
        let text = """
            kind: Pod
            metadata: {name: mixed}
            spec:
              containers:
              - name: own
                command: [python3, -m, http.server, "8001"]
                workingDir: /etc
                ports: [{containerPort: 8001}]
              - {name: absent, command: [no-such-program-here], ports: [{containerPort: 8002}]}
            """
        try withSandbox(text) { sandbox in
            #expect(try sandbox.run(["curl", "-s", "http://mixed:8001/hostname"], in: "mixed").code == 0)
            let answer = try sandbox.run(["curl", "-s", "http://mixed:8002/"], in: "mixed").text
            #expect(answer.contains("pod: mixed\n"))
            #expect(try sandbox.status().pods.map(\.processes.count) == [2])
        }
    }

    @Test func aPodHasItsOwnView() throws {
        try withSandbox { sandbox in
            let outcome = try sandbox.run(
                ["sh", "-c", "hostname; echo $COLOUR $SECRET; cat /proc/self/cgroup"], in: "client")
            let lines = outcome.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            #expect(lines[0...1] == ["client", "green"])
            #expect(lines.contains("0::/kmesh-sandbox-\(sandbox.name)/default_client"))
            #expect(try sandbox.run(["sh", "-c", "exit 5"], in: "default/client").code == 5)
            let error = #expect(throws: SandboxError.self) { _ = try sandbox.run(["true"], in: "nobody") }
            #expect(error?.description.contains("default/client") == true)
        }
    }

    @Test func scalingIsSeenByAll() throws {
        try withSandbox { sandbox in
            func endpoints() throws -> Int {
                try KubernetesObject.read(file: sandbox.paths.mesh).filter { $0.name == "web-ipv4-0" }
                    .compactMap { $0.node["endpoints"]?.sequence?.count }.first ?? -1
            }
            func hosts() throws -> Int {
                try sandbox.run(["grep", "-c", " all$", "/etc/hosts"], in: "client").text
                    .split(separator: "\n").compactMap { Int($0) }.first ?? -1
            }
            #expect(try endpoints() == 2 && hosts() == 2)
            try sandbox.scale("web", to: 5, serverPath: server)
            #expect(try endpoints() == 5 && hosts() == 5)
            #expect(try sandbox.status().pods.count == 7)
            let gone = try #require(try sandbox.status().pods.last)
            try sandbox.scale("default/web", to: 1, serverPath: server, drainMilliseconds: 0)
            #expect(try endpoints() == 1 && hosts() == 1)
            #expect(!gone.cgroup.exists && !Files.exists(gone.networkNamespace))
            #expect(throws: SandboxError.self) { try sandbox.scale("client", to: 2, serverPath: server) }
        }
    }

    @Test func anUpThatFailsLeavesNothing() throws {
        // Two pods want one port of the node.
        let text =
            mesh + "---\nkind: Pod\nmetadata: {name: late}\n"
            + "spec: {hostNetwork: true, containers: [{name: c, ports: [{containerPort: 7777}]}]}\n"
        try Files.overwrite(file, with: Array(text.utf8))
        // An up that does not fail, against what is expected here, must not outlive the test.
        defer {
            try? Files.remove(file)
            #expect(throws: Never.self) { try sandbox.down() }
        }
        #expect(throws: SandboxError.self) {
            try sandbox.up(file: file, serverPath: "/nowhere/kmesh-sandbox")
        }
        #expect(try Traces(sandbox).isClean)
        let error = #expect(throws: SandboxError.self) {
            try sandbox.up(file: file, serverPath: server, waitSeconds: 5)
        }
        #expect(
            error?.description.contains("default/late and default/host both need TCP port 7777") == true,
            "\(String(describing: error))")
        #expect(try Traces(sandbox).isClean)
    }

    @Test func downTakesAwayWhatIsLeft() throws {
        #expect(try !sandbox.down())
        try withSandbox { sandbox in
            // Pods that were killed, a record that is lost, a namespace that is gone.
            let pods = try sandbox.status().pods
            for process in pods[0].processes { kill(process, SIGKILL) }
            try NetworkNamespace.remove(at: pods[1].networkNamespace)
            try Files.overwrite("\(sandbox.paths.root)/state.yaml", with: Array("{".utf8))
            #expect(try sandbox.down())
        }
        // As after a reboot: only one part of it.
        try sandbox.paths.cgroup.create()
        #expect(try sandbox.down())
        try Files.makeDirectories(sandbox.paths.root)
        #expect(try sandbox.down())
        #expect(try Traces(sandbox).isClean)
    }

    @Test func aSecondUpIsRefusedAndTwoRunSideBySide() throws {
        try withSandbox { sandbox in
            #expect(throws: SandboxError.self) { try sandbox.up(file: file, serverPath: server) }
            let other = try Sandbox(name: "\(sandbox.name)-b")
            try other.up(file: file, serverPath: server)
            #expect(try other.status().pods.map(\.addresses) == sandbox.status().pods.map(\.addresses))
            try other.down()
            #expect(try sandbox.run(["curl", "-s", "-m", "5", "http://all:8080/"], in: "client").code == 0)
        }
    }
}

/// What of a sandbox can be seen on this machine.
private struct Traces: CustomStringConvertible {
    var mounts: [String]
    var hasCgroup: Bool
    var hasFiles: Bool
    var links: [String]

    init(_ sandbox: Sandbox) throws {
        mounts = try Mounts.all().map(\.path).filter { $0.hasPrefix(sandbox.paths.root) }
        hasCgroup = sandbox.paths.cgroup.exists
        hasFiles = Files.exists(sandbox.paths.root) || Files.exists("\(sandbox.paths.root).lock")
        var netlink = try Netlink()
        links = try netlink.links().map(\.name)
    }

    var isClean: Bool { mounts.isEmpty && !hasCgroup && !hasFiles }
    var description: String { "mounts \(mounts), cgroup \(hasCgroup), files \(hasFiles)" }
}
