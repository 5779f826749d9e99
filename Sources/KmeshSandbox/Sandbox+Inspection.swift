/// `exec` and `status`.
public import KmeshKit

extension Sandbox {
    /// A program as it runs inside a pod: to be started, run to its end, or to replace this process.
    /// `pod`: a pod, a Deployment or the beginning of a pod's name, with or without `namespace/`.
    public func program(_ command: [String], in pod: String) throws -> Program {
        guard let name = command.first else { throw SandboxError("there is no command to run in \(pod)") }
        guard let path = Program.find(name) else { throw SandboxError("there is no program \(name)") }
        let mesh = try mesh(try load())
        let found = try find(pod, mesh)
        let programs = try PodPrograms(mesh, paths, serverPath: "")
        let variables = programs.environment(of: found.template.containers.first, in: found)
        let terminal = Program.ownEnvironment().filter { $0.hasPrefix("TERM=") || $0.hasPrefix("LANG=") }
        return programs.placed(
            Program(path, Array(command.dropFirst()), environment: terminal + variables), in: found)
    }

    /// Runs a command in a pod to its end and takes what it prints.
    public func run(_ command: [String], in pod: String) throws -> Program.Outcome {
        try program(command, in: pod).run()
    }

    private func find(_ wanted: String, _ mesh: ResolvedMesh) throws(SandboxError) -> ResolvedMesh.Pod {
        let (namespace, name) = split(wanted)
        let pods = mesh.pods.filter { namespace == nil || $0.record.namespace == namespace }
        let rules: [(ResolvedMesh.Pod) -> Bool] = [
            { $0.record.name == name }, { $0.set.name == name }, { $0.record.name.hasPrefix(name) },
        ]
        for rule in rules {
            let found = pods.filter(rule)
            // Without a namespace, people mean "default" first.
            if let pod = found.first(where: { $0.record.namespace == "default" }) ?? found.first {
                return pod
            }
        }
        throw SandboxError("there is no pod \(wanted); there are: " + listed(mesh.pods.map(\.record.key)))
    }

    private func split(_ wanted: String) -> (namespace: String?, name: String) {
        guard let slash = wanted.firstIndex(of: "/") else { return (nil, wanted) }
        return (String(wanted[..<slash]), String(wanted[wanted.index(after: slash)...]))
    }

    public func status() throws -> SandboxStatus {
        let state = try load()
        let mesh = try mesh(state)
        let pods = try mesh.pods.map { pod in
            SandboxStatus.Pod(
                namespace: pod.record.namespace, name: pod.record.name, node: pod.record.node,
                addresses: pod.record.addresses,
                networkNamespace: pod.template.usesHostNetwork
                    ? paths.nodeNamespace : paths.namespace(of: pod.record),
                cgroup: paths.cgroup(of: pod.record), uid: pod.record.uid,
                processes: try paths.cgroup(of: pod.record).processes(), isEnrolled: pod.record.isEnrolled)
        }
        let services = mesh.plan.services.map { service in
            SandboxStatus.Service(
                namespace: service.object.namespace, name: service.object.name,
                addresses: state.services[service.key] ?? [],
                ports: service.ports.map { "\($0.number)/\($0.transport.name)" },
                pods: mesh.members(of: service).count)
        }
        var daemon = SandboxStatus.Daemon.none
        if state.settings.daemonPath != nil {
            let answer = SandboxDaemon(paths, state.settings, pace).status()
            daemon = answer.map { .running(process: $0.pid, enrolled: Int($0.enrolled)) } ?? .silent
        }
        return SandboxStatus(name: name, isUp: state.isUp, pods: pods, services: services, daemon: daemon)
    }
}

/// What there is of a sandbox now.
public struct SandboxStatus: Hashable, Sendable {
    public struct Pod: Hashable, Sendable {
        public var namespace: String
        public var name: String
        public var node: String
        public var addresses: [IPAddress]
        public var networkNamespace: String
        public var cgroup: Cgroup
        public var uid: String
        /// Empty when all have ended.
        public var processes: [Int32]
        public var isEnrolled: Bool
    }

    public struct Service: Hashable, Sendable {
        public var namespace: String
        public var name: String
        /// Empty for headless and external services.
        public var addresses: [IPAddress]
        public var ports: [String]
        public var pods: Int
    }

    public enum Daemon: Hashable, Sendable {
        /// The sandbox was made without one.
        case none
        case running(process: Int32, enrolled: Int)
        /// It should run, and does not answer.
        case silent
    }

    public var name: String
    /// False: `up` works on it, or was ended in the middle.
    public var isUp: Bool
    public var pods: [Pod]
    public var services: [Service]
    public var daemon: Daemon
}
