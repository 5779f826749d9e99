/// Enrols workloads of this node: looks into their namespaces, remembers them, and tells the engine.
public actor Enrollment {
    private var store: EnrollmentStore
    private let engine: any DataplaneEngine
    private let queue = SerialQueue()
    private let hostNamespaces: HostNamespaces

    /// `store` holds what the engine was started with.
    public init(store: EnrollmentStore, engine: any DataplaneEngine) async throws(EnrollmentError) {
        self.store = store
        self.engine = engine
        hostNamespaces = try await HostNamespaces.read()
    }

    public var workloads: [LocalWorkload] { store.workloads }

    /// Enrols the pod, or replaces what is known of it.
    public func enroll(_ request: EnrollmentRequest) async throws(EnrollmentError) -> LocalWorkload {
        // One change at a time: a withdrawal in the middle of an enrolment would leave its entry in the
        // kernel.
        await queue.enter()
        defer { queue.leave() }
        let workload = try await inspect(request)
        let previous = store[workload.id]
        if previous == nil, store.count >= store.capacity { try await withdrawStale() }
        // On disk before it is in the kernel, so that the file always names all that the kernel steers.
        try store.insert(workload)
        do throws(EngineError) {
            try await engine.enroll(workload)
        } catch {
            if let previous {
                try store.insert(previous)
            } else {
                try store.remove([workload.id])
            }
            throw .engine(pod: workload.pod, error)
        }
        return workload
    }

    /// Withdraws the pod with this uid, or all of this name when there is no uid.
    public func withdraw(_ request: WithdrawalRequest) async throws(EnrollmentError) -> [LocalWorkload] {
        await queue.enter()
        defer { queue.leave() }
        let leaving: [LocalWorkload] =
            switch request {
            case .pod(let pod): store.workloads(of: pod)
            case .id(let id): store[id].map { [$0] } ?? []
            }
        guard !leaving.isEmpty else { throw .notEnrolled(request.description) }
        for workload in leaving {
            do throws(EngineError) {
                try await engine.withdraw(workload.id)
            } catch {
                throw .engine(pod: workload.pod, error)
            }
        }
        try store.remove(leaving.map(\.id))
        return leaving
    }

    /// Makes room: pods whose namespace went without a withdrawal would fill the map until the next start.
    private func withdrawStale() async throws(EnrollmentError) {
        var swept = store
        _ = try await swept.removeStale()
        for workload in store.workloads where swept[workload.id] == nil {
            do throws(EngineError) {
                try await engine.withdraw(workload.id)
            } catch {
                throw .engine(pod: workload.pod, error)
            }
        }
        store = swept
    }

    private func inspect(_ request: EnrollmentRequest) async throws(EnrollmentError) -> LocalWorkload {
        try request.checkBounds()
        let path = request.networkNamespacePath
        let reading: NetworkNamespaceReading
        do throws(Errno) {
            reading = try await NetworkNamespaceIdentity.read(path, addressesOf: request.interface)
        } catch let error where error == .invalid {
            throw .notANetworkNamespace(path: path)
        } catch {
            throw .namespaceUnreadable(path: path, errno: error)
        }
        let id = LocalWorkload.ID(request.uid ?? request.pod.description)
        guard !hostNamespaces.contains(reading.identity) else {
            throw .hostNetwork(pod: request.pod, path: path)
        }
        if let other = store.workload(inNamespace: reading.identity.cookie), other.id != id {
            throw .namespaceTaken(path: path, pod: request.pod, by: other.pod)
        }
        let addresses = request.addresses.isEmpty ? reading.addresses : request.addresses
        guard !addresses.isEmpty else {
            throw .noAddress(pod: request.pod, interface: request.interface, path: path)
        }
        return LocalWorkload(
            id: id, pod: request.pod, networkNamespacePath: path, networkNamespace: reading.identity,
            interface: request.interface, addresses: addresses, cgroupPath: request.cgroupPath)
    }
}

extension EnrollmentStore {
    /// Removes workloads whose namespace is gone or is another one by now, and says so for each.
    /// One whose namespace cannot be looked at for another reason stays.
    public mutating func removeStale() async throws(EnrollmentError) -> [String] {
        var reports: [String] = []
        var stale: [LocalWorkload.ID] = []
        for workload in workloads {
            let path = workload.networkNamespacePath
            do throws(Errno) {
                let identity = try await NetworkNamespaceIdentity.read(path).identity
                if identity == workload.networkNamespace { continue }
                reports.append("pod \(workload.pod) dropped: \(path) is another network namespace now")
            } catch let error where error == .noEntry || error == .invalid || error == .noProcess {
                reports.append("pod \(workload.pod) dropped: its network namespace \(path) is gone")
            } catch {
                reports.append(
                    "pod \(workload.pod) kept, but its network namespace \(path) is unreadable: \(error)")
                continue
            }
            stale.append(workload.id)
        }
        try remove(stale)
        return reports
    }
}

/// The namespaces that no pod has: this process's and the machine's.
private struct HostNamespaces: Sendable {
    let inodes: Set<UInt64>
    let cookies: Set<UInt64>

    static func read() async throws(EnrollmentError) -> HostNamespaces {
        let own: NetworkNamespaceIdentity
        do throws(Errno) {
            own = try NetworkNamespaceIdentity.own()
        } catch {
            throw .namespaceUnreadable(path: "/proc/self/ns/net", errno: error)
        }
        // In a container without the host's processes the first one is not the machine's, and may be hidden.
        let first = try? await NetworkNamespaceIdentity.read("/proc/1/ns/net").identity
        return HostNamespaces(
            inodes: [NetworkNamespaceIdentity.initialInode, own.inode],
            cookies: Set([own.cookie] + (first.map { [$0.cookie] } ?? [])))
    }

    func contains(_ identity: NetworkNamespaceIdentity) -> Bool {
        inodes.contains(identity.inode) || cookies.contains(identity.cookie)
    }
}
