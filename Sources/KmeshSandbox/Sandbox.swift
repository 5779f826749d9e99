/// A node on this machine whose pods are network namespaces. What it is lives in files and in the kernel; a
/// value of this type is a handle, and any process of root can have one.
public import KmeshKit
internal import KmeshYAML

public final class Sandbox {
    public let name: String
    public let paths: SandboxPaths
    let pace: Pace
    /// Tells people what happens, a line at a time.
    let report: (String) -> Void
    /// What this process has started; nobody else can take their exit codes.
    var children: [RunningChild] = []

    /// `gate`: signals end waiting, and what was begun is taken back.
    public init(
        name: String, gate: SignalGate? = nil, report: @escaping (String) -> Void = { _ in }
    ) throws {
        // The admin socket's path has 107 bytes at most.
        guard name.isKubernetesName, name.utf8.count <= 63 else {
            throw SandboxError(
                "\"\(name)\" is no name for a sandbox: use small letters, digits and '-'; see --name")
        }
        guard Privileges.isRoot else {
            throw SandboxError("kmesh-sandbox makes network namespaces and cgroups: run it as root")
        }
        guard let mount = try Cgroup.mountPoint() else {
            throw SandboxError("no cgroup v2 is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")
        }
        self.name = name
        self.report = report
        paths = SandboxPaths(name: name, cgroupMount: mount)
        pace = Pace(gate: gate)
    }

    /// The name that a file gets when nobody names it: `samples/bookinfo.yaml` → `bookinfo`.
    public static func name(for file: String) -> String {
        let base = file.split(separator: "/").last.map(String.init) ?? file
        let stem = base.split(separator: ".").first.map(String.init) ?? base
        let letters = stem.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        return String(letters.drop { $0 == "-" }.prefix(40))
    }

    // MARK: What is written down

    /// Holds off other commands on this sandbox.
    func locked<Value>(_ work: () throws -> Value) throws -> Value {
        var lock = FileLock?.none
        var holder = ""
        let isFree = try pace.wait(seconds: 10, every: 20) {
            try Files.makeDirectories(SandboxPaths.parent)
            do throws(FileLock.Failure) {
                lock = try FileLock.take(paths.lock)
                return true
            } catch {
                switch error {
                case .held(let process): holder = "process \(process)"
                // The directory goes with the last sandbox, which may be just now.
                case .unusable(.noEntry): break
                case .unusable(let errno): throw SandboxError("cannot lock \(paths.lock): \(errno)")
                }
                return false
            }
        }
        guard isFree, lock != nil else {
            throw SandboxError("another kmesh-sandbox command works on \(name): \(holder); try again later")
        }
        defer { lock = nil }
        return try work()
    }

    func load() throws -> SandboxState {
        guard Files.exists(paths.state) else {
            let others = (try? Self.names()) ?? []
            let hint = others.isEmpty ? "none is up" : "up: \(others.joined(separator: ", "))"
            throw SandboxError("there is no sandbox \(name) (\(hint)); make it with: kmesh-sandbox up FILE")
        }
        return try SandboxState(yaml: try Files.readText(paths.state, limit: 64 << 20))
    }

    func save(_ state: SandboxState) throws {
        try Files.replace(paths.state, with: Array(state.yaml.utf8))
    }

    func mesh(_ state: SandboxState) throws -> ResolvedMesh {
        ResolvedMesh(try plan(paths.source, state.settings), state)
    }

    func plan(_ file: String, _ settings: SandboxSettings) throws(SandboxError) -> SandboxPlan {
        let nodeName = settings.nodeName.isEmpty ? "sandbox" : settings.nodeName
        let objects = try KubernetesObject.read(file: file)
        do throws(SandboxError) {
            return try SandboxPlan(objects, families: settings.families, nodeName: nodeName)
        } catch {
            throw SandboxError("\(file): \(error)")
        }
    }

    /// The sandboxes of this machine.
    public static func names() throws(Errno) -> [String] {
        try Files.list(SandboxPaths.parent).filter { Files.exists("\(SandboxPaths.parent)/\($0)/state.yaml") }
    }

    /// Writes what the daemon watches and what the pods resolve names by.
    func publish(_ mesh: ResolvedMesh) throws {
        try publishDocument(mesh)
        try writeHosts(mesh, for: mesh.pods)
    }

    func publishDocument(_ mesh: ResolvedMesh) throws {
        try Files.replace(paths.mesh, with: Array(mesh.document.utf8), mode: 0o644)
    }

    func writeHosts(_ mesh: ResolvedMesh, for pods: [ResolvedMesh.Pod]) throws {
        var lines: [String: String] = [:]
        for pod in pods {
            let namespace = pod.record.namespace
            let shared = lines[namespace] ?? mesh.serviceLines(seenFrom: namespace)
            lines[namespace] = shared
            let text = mesh.hosts(of: pod, serviceLines: shared)
            try Files.overwrite(paths.hosts(of: pod.record), with: Array(text.utf8))
        }
    }
}

final class RunningChild {
    let process: ChildProcess

    init(_ process: consuming ChildProcess) {
        self.process = process
    }
}
