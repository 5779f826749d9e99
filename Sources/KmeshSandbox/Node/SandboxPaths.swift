/// Where a sandbox keeps its things. All follows from its name, so that it can be taken away without any
/// record.
public import KmeshKit

public struct SandboxPaths: Hashable, Sendable {
    /// A tmpfs of its own. Its mounts, files and pins go with it in one step.
    public let root: String
    public let cgroup: Cgroup

    /// Above the roots of all sandboxes.
    public static let parent = "/run/kmesh-sandbox"

    init(name: String, cgroupMount: String) {
        root = "\(Self.parent)/\(name)"
        cgroup = Cgroup(path: "\(cgroupMount)/kmesh-sandbox-\(name)")
    }

    var lock: String { "\(root).lock" }
    var state: String { "\(root)/state.yaml" }
    /// The file as it was when `up` read it.
    var source: String { "\(root)/source.yaml" }
    /// What the daemon watches.
    public var mesh: String { "\(root)/mesh.yaml" }
    public var bpf: String { "\(root)/bpf" }
    public var adminSocket: String { "\(root)/kmesh.sock" }
    public var daemonLog: String { "\(root)/daemon.log" }
    var daemonState: String { "\(root)/state" }
    var namespaces: String { "\(root)/netns" }
    public var nodeNamespace: String { "\(namespaces)/_node" }
    var nodeCgroup: Cgroup { Cgroup(path: "\(cgroup.path)/_node") }
    var pods: String { "\(root)/pods" }

    func namespace(of record: SandboxState.PodRecord) -> String { "\(namespaces)/\(record.fileName)" }
    func cgroup(of record: SandboxState.PodRecord) -> Cgroup {
        Cgroup(path: "\(cgroup.path)/\(record.fileName)")
    }
    func files(of record: SandboxState.PodRecord) -> String { "\(pods)/\(record.fileName)" }
    func hosts(of record: SandboxState.PodRecord) -> String { "\(files(of: record))/hosts" }
}
