/// `up`, `scale` and `down`.
internal import KmeshKit

extension Sandbox {
    /// Makes the sandbox that `file` describes. When it throws, nothing of it is left.
    /// `serverPath`: the `kmesh-sandbox` executable, for the pods' built-in server.
    public func up(
        file: String, settings: SandboxSettings = SandboxSettings(), serverPath: String,
        waitSeconds: Double = 30
    ) throws {
        let plan = try plan(file, settings)
        var state = SandboxState(settings: settings)
        try state.adopt(plan)
        for set in plan.podSets { _ = try state.addPods(of: set, count: plan.replicas(of: set), plan) }
        try locked {
            try clearRemains()
            plan.remarks.forEach(report)
            do {
                try makeRoot(file, state)
                try start(plan, &state, serverPath, waitSeconds)
            } catch {
                // What went wrong first is what people must read; what is left then, `down` takes away.
                do { try takeAway() } catch { report("cleaning up: \(error)") }
                throw error
            }
        }
    }

    private func clearRemains() throws {
        guard Files.exists(paths.root) || paths.cgroup.exists else { return }
        if let state = try? load(), state.isUp {
            throw SandboxError(
                "sandbox \(name) is already up; take it away with: kmesh-sandbox down FILE --name \(name), "
                    + "or give another --name")
        }
        report("taking away what an unfinished up left")
        try takeAway()
    }

    private func makeRoot(_ file: String, _ state: SandboxState) throws {
        try SandboxError.during("make \(paths.root)") {
            try Files.makeDirectories(paths.root)
            try Mounts.mount("tmpfs", at: paths.root, options: "mode=0755")
            try Mounts.makePrivate(paths.root)
            for directory in [paths.namespaces, paths.pods, paths.bpf, paths.daemonState] {
                try Files.makeDirectories(directory)
            }
            try Mounts.mount("bpf", at: paths.bpf, options: "mode=0700")
            try Files.replace(paths.source, with: try Files.read(file, limit: 256 << 20))
            try save(state)
        }
        try SandboxError.during("make \(paths.cgroup.path)") {
            try paths.cgroup.create()
            try paths.nodeCgroup.create()
        }
    }

    private func start(
        _ plan: SandboxPlan, _ state: inout SandboxState, _ serverPath: String, _ waitSeconds: Double
    ) throws {
        try SandboxError.during("make the node's network") {
            try NodeNetwork.create(paths, state.settings.families, nodes: plan.nodes.map(\.number))
        }
        let mesh = ResolvedMesh(plan, state)
        // Waypoints read it from their start; as yet no pod is in it.
        try publishDocument(mesh)
        try startPods(mesh.pods, mesh, serverPath: serverPath, waitSeconds: waitSeconds)
        for index in state.pods.indices { state.pods[index].isServing = true }
        try save(state)
        try publish(ResolvedMesh(plan, state))
        if let path = state.settings.daemonPath {
            let daemon = SandboxDaemon(paths, state.settings, pace)
            children.append(RunningChild(try daemon.start(path)))
            try enroll(mesh.pods, &state)
        }
        state.isUp = true
        try save(state)
    }

    private func enroll(_ pods: [ResolvedMesh.Pod], _ state: inout SandboxState) throws {
        let daemon = SandboxDaemon(paths, state.settings, pace)
        for pod in pods where daemon.wants(pod) {
            try pace.check()
            try daemon.enroll(pod)
            guard let index = state.pods.firstIndex(where: { $0.uid == pod.record.uid }) else { continue }
            state.pods[index].isEnrolled = true
        }
        try save(state)
    }

    /// Gives a Deployment, ReplicaSet or StatefulSet another number of pods while the sandbox runs.
    /// `drainMilliseconds`: how long a pod goes on serving after the mesh has forgotten it.
    public func scale(
        _ target: String, to count: Int, serverPath: String, drainMilliseconds: Int = 200,
        waitSeconds: Double = 30
    ) throws {
        guard count >= 0 else { throw SandboxError("a number of pods is 0 or more") }
        try locked {
            var state = try load()
            let plan = try plan(paths.source, state.settings)
            let set = try scalable(target, plan)
            // What a scale left that was ended in the middle.
            let remains = state.pods.filter { !$0.isServing }
            if !remains.isEmpty { try shrink(remains, plan, &state, 0) }
            let added = try state.addPods(of: set, count: count, plan)
            if !added.isEmpty { try grow(added, plan, &state, serverPath, waitSeconds) }
            let surplus = state.surplus(of: set, count: count)
            if !surplus.isEmpty { try shrink(surplus, plan, &state, drainMilliseconds) }
        }
    }

    /// First the pod serves, then the mesh knows it.
    private func grow(
        _ added: [SandboxState.PodRecord], _ plan: SandboxPlan, _ state: inout SandboxState,
        _ serverPath: String,
        _ waitSeconds: Double
    ) throws {
        let uids = Set(added.map(\.uid))
        try save(state)
        do {
            let mesh = ResolvedMesh(plan, state)
            let pods = mesh.pods.filter { uids.contains($0.record.uid) }
            try startPods(pods, mesh, serverPath: serverPath, waitSeconds: waitSeconds)
            for index in state.pods.indices where uids.contains(state.pods[index].uid) {
                state.pods[index].isServing = true
            }
            try save(state)
            let daemon = SandboxDaemon(paths, state.settings, pace)
            try daemon.follow { try publish(ResolvedMesh(plan, state)) }
            if state.settings.daemonPath != nil { try enroll(pods, &state) }
        } catch {
            do { try shrink(added, plan, &state, 0) } catch { report("cleaning up: \(error)") }
            throw error
        }
    }

    /// First the mesh forgets the pod, then it stops.
    private func shrink(
        _ surplus: [SandboxState.PodRecord], _ plan: SandboxPlan, _ state: inout SandboxState, _ drain: Int
    ) throws {
        let uids = Set(surplus.map(\.uid))
        for index in state.pods.indices where uids.contains(state.pods[index].uid) {
            state.pods[index].isServing = false
        }
        try save(state)
        let daemon = SandboxDaemon(paths, state.settings, pace)
        try daemon.follow { try publish(ResolvedMesh(plan, state)) }
        // Connections that were being made when the mesh changed get their answer.
        pause(milliseconds: drain)
        let leaving = state.pods.filter { uids.contains($0.uid) }
        if daemon.status() != nil {
            for record in leaving where record.isEnrolled { try daemon.withdraw(record) }
        }
        try removePods(leaving)
        state.pods.removeAll { uids.contains($0.uid) }
        try save(state)
    }

    private func scalable(_ target: String, _ plan: SandboxPlan) throws(SandboxError) -> PodSet {
        let sets = plan.podSets.filter { set in
            switch set.kind {
            case .deployment, .replicaSet, .statefulSet: true
            case .daemonSet, .pod: false
            }
        }
        let found = sets.filter { $0.name == target || "\($0.namespace)/\($0.name)" == target }
        guard let set = found.first else {
            throw SandboxError(
                "there is no Deployment \(target) to scale; there are: " + listed(sets.map(\.name)))
        }
        guard found.count == 1 else {
            throw SandboxError("\(target) is several: " + listed(found.map { "\($0.namespace)/\($0.name)" }))
        }
        return set
    }

    /// Takes the sandbox away, whatever is left of it. False when nothing was there.
    @discardableResult
    public func down() throws -> Bool {
        try locked {
            let wasThere = Files.exists(paths.root) || paths.cgroup.exists
            try takeAway()
            return wasThere
        }
    }

    /// All follows from the name: a record that is lost or wrong changes nothing.
    func takeAway() throws {
        try end(paths.cgroup)
        for mount in try Mounts.all() where mount.path == paths.root { try Mounts.detach(mount.path) }
        try SandboxError.during("remove \(paths.root)") { try Files.removeDirectory(paths.root) }
        try removeCgroup(paths.cgroup)
        // Held by this process; whoever waits for it makes a new one.
        try Files.remove(paths.lock)
        // Other sandboxes may live there.
        try? Files.removeDirectory(SandboxPaths.parent)
    }
}

/// Names for an error message; of many only the first.
func listed(_ names: [String]) -> String {
    let shown = names.prefix(20).joined(separator: ", ")
    return names.isEmpty ? "none" : names.count > 20 ? "\(shown) and \(names.count - 20) more" : shown
}
