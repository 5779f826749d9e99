/// Decides what runs in a pod: the containers' own programs, and for those that are not here the waypoint in
/// the pods of one, and the built-in server elsewhere.
internal import KmeshKit
internal import KmeshYAML

struct PodPrograms {
    struct Port: Hashable {
        var transport: TransportProtocol
        var number: UInt16
    }

    struct Entry {
        /// Also the name of its log.
        var container: String
        var program: Program
        /// What has to answer before the pod counts as running.
        var ports: [Port]
        /// Its ports are sure to be served; one of the container's own programs may never listen.
        var isBuiltIn: Bool
    }

    private let mesh: ResolvedMesh
    private let paths: SandboxPaths
    /// This executable, which has the built-in server.
    private let serverPath: String
    /// Mounts of this and other sandboxes: a copy of them in a pod would keep their namespaces alive.
    private let hiddenMounts: [String]

    init(_ mesh: ResolvedMesh, _ paths: SandboxPaths, serverPath: String) throws {
        self.mesh = mesh
        self.paths = paths
        self.serverPath = serverPath
        hiddenMounts = try Self.sandboxMounts()
    }

    static func sandboxMounts() throws(Errno) -> [String] {
        try Mounts.all().map(\.path).filter { path in
            guard path.hasPrefix(SandboxPaths.parent + "/") else { return false }
            return !path.dropFirst(SandboxPaths.parent.count + 1).contains("/")
        }
    }

    func entries(for pod: ResolvedMesh.Pod) -> [Entry] {
        var entries: [Entry] = []
        var standIns: [PodTemplate.Container] = []
        for container in pod.template.containers {
            if let path = container.command.first.flatMap({ Program.find($0) }) {
                var program = Program(
                    path, Array(container.command.dropFirst()) + container.arguments,
                    environment: environment(of: container, in: pod))
                program.directory = container.directory
                let ports = container.ports.filter { $0.transport == .tcp }
                entries.append(
                    Entry(
                        container: container.name, program: placed(program, in: pod),
                        ports: ports.map { Port(transport: $0.transport, number: $0.number) },
                        isBuiltIn: false))
            } else {
                standIns.append(container)
            }
        }
        if !standIns.isEmpty {
            entries.append(standIn(for: standIns, in: pod))
        }
        return entries
    }

    private func standIn(for containers: [PodTemplate.Container], in pod: ResolvedMesh.Pod) -> Entry {
        let name = containers[0].name
        if mesh.plan.isWaypoint(pod), let waypointPath {
            let status = Port(transport: .tcp, number: 15021)
            return Entry(
                container: name, program: waypoint(waypointPath, in: pod), ports: [status], isBuiltIn: true)
        }
        let ports = servedPorts(of: containers, in: pod)
        return Entry(container: name, program: server(ports, in: pod), ports: ports, isBuiltIn: true)
    }

    /// The waypoint beside this executable, if it is there.
    private var waypointPath: String? {
        let directory = serverPath.lastIndex(of: "/").map { serverPath[..<$0] } ?? "."
        return Program.find("\(directory)/kmesh-waypoint")
    }

    /// Follows the mesh as the daemon does, from the file of this sandbox.
    private func waypoint(_ path: String, in pod: ResolvedMesh.Pod) -> Program {
        let arguments = [
            "--mesh-file", paths.mesh, "--listen", "\(WaypointReference.metadataPort)=metadata",
            "--node-name", pod.record.node,
        ]
        var program = placed(
            Program(path, arguments, environment: environment(of: nil, in: pod)), in: pod)
        program.hiddenMounts.removeAll { $0 == paths.root }
        return program
    }

    /// Pods with the node's network share its ports, and those of all nodes of a sandbox.
    func checkHostPorts() throws(SandboxError) {
        var owners: [String: String] = [:]
        for pod in mesh.pods where pod.template.usesHostNetwork {
            for port in entries(for: pod).flatMap(\.ports) {
                let title = "\(port.transport.name) port \(port.number)"
                if let owner = owners.updateValue(pod.record.key, forKey: title) {
                    throw SandboxError("pods \(pod.record.key) and \(owner) both need \(title) of the node")
                }
            }
        }
    }

    private func server(_ ports: [Port], in pod: ResolvedMesh.Pod) -> Program {
        let flags = ports.flatMap { ["--\($0.transport.name.lowercased())", String($0.number)] }
        let arguments = ["serve", "--pod", pod.record.name, "--namespace", pod.record.namespace] + flags
        return placed(Program(serverPath, arguments, environment: environment(of: nil, in: pod)), in: pod)
    }

    /// The containers' ports, and those that a service leads to and nobody declares.
    private func servedPorts(of containers: [PodTemplate.Container], in pod: ResolvedMesh.Pod) -> [Port] {
        func ports(_ containers: [PodTemplate.Container]) -> [Port] {
            containers.flatMap(\.ports).map { Port(transport: $0.transport, number: $0.number) }
        }
        let declared = ports(pod.template.containers)
        var served = ports(containers)
        for service in mesh.plan.services
        where service.object.namespace == pod.record.namespace && service.selects(pod.template.labels) {
            for port in service.ports {
                guard let number = port.number(in: pod.template) else { continue }
                let target = Port(transport: port.transport, number: number)
                if !declared.contains(target) { served.append(target) }
            }
        }
        var seen: Set<Port> = []
        return served.filter { seen.insert($0).inserted }
    }

    /// Puts a program where the pod is.
    func placed(_ program: Program, in pod: ResolvedMesh.Pod) -> Program {
        var placed = program
        placed.directory = program.directory ?? "/"
        placed.cgroup = paths.cgroup(of: pod.record)
        placed.networkNamespace =
            pod.template.usesHostNetwork ? paths.nodeNamespace : paths.namespace(of: pod.record)
        placed.hosts = paths.hosts(of: pod.record)
        placed.hiddenMounts = hiddenMounts
        placed.hostname = String(pod.record.name.prefix(63))
        return placed
    }

    /// A pod does not see the variables of whoever made the sandbox.
    func environment(of container: PodTemplate.Container?, in pod: ResolvedMesh.Pod) -> [String] {
        var variables = [
            ("PATH", Program.searchPath()), ("HOME", "/root"), ("HOSTNAME", pod.record.name),
        ]
        for variable in container?.environment ?? [] {
            switch variable.value {
            case .text(let text): variables.append((variable.name, text))
            case .field(let path): field(path, of: pod).map { variables.append((variable.name, $0)) }
            }
        }
        return variables.map { "\($0)=\($1)" }
    }

    private func field(_ path: String, of pod: ResolvedMesh.Pod) -> String? {
        switch path {
        case "metadata.name": pod.record.name
        case "metadata.namespace": pod.record.namespace
        case "metadata.uid": pod.record.uid
        case "spec.nodeName": pod.record.node
        case "spec.serviceAccountName": pod.template.spec["serviceAccountName"]?.string ?? "default"
        case "status.podIP": pod.record.addresses.first?.description
        case "status.podIPs": pod.record.addresses.map(\.description).joined(separator: ",")
        default: nil
        }
    }
}
