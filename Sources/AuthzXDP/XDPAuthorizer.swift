internal import BPFLoader
public import KmeshKit
internal import Logging

/// Enforces policies in the kernel, in the network namespace of each enrolled workload.
public actor XDPAuthorizer: AuthorizationEnforcer {
    let options: EngineOptions
    let log = Logger(label: "authz")
    var running: Running?
    /// Outside of `running`, as they cannot be copied.
    var denials: DenialLog?
    /// The interfaces of the machine; likewise.
    var host: HostAddresses?

    /// What lives between `start` and `stop`.
    struct Running: Sendable {
        var dataplane: AuthorizationDataplane
        let kernel: AuthzKernel
        let attachments: PodAttachments
        var workloads: [LocalWorkload.ID: LocalWorkload] = [:]
        /// How the program is attached; a workload waits for the first configuration without.
        var forms: [LocalWorkload.ID: PodAttachments.Form] = [:]
        var isConfigured = false
        var activity = EngineActivity()
        /// Addresses of workloads, and of who connects to them, whose established connections have to be
        /// looked at.
        var changedDestinations: Set<IPAddress> = []
        var changedSources: Set<IPAddress> = []
        var endedConnections: UInt64 = 0
        /// The addresses of the node as its Node object has them.
        var nodeAddresses: [IPAddress] = []
    }

    public init(_ options: EngineOptions) {
        self.options = options
    }

    public func start(protecting workloads: [LocalWorkload]) async throws(EngineError) -> [String] {
        do throws(BPFError) {
            try KernelFeatures.requireAuthorization(hook: options.authorization.hook)
            let kernel = try AuthzKernel(options)
            let attachments = PodAttachments(
                pins: kernel.pins, options: options.authorization, program: kernel.program)
            var dataplane = AuthorizationDataplane(maps: kernel.maps, grace: try KernelGracePeriod())
            try adopt(into: &dataplane)
            var started = Running(dataplane: dataplane, kernel: kernel, attachments: attachments)
            for workload in workloads { _ = try? started.dataplane.protect(workload) }
            started.workloads = Dictionary(workloads.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
            denials = try DenialLog(kernel.events.file)
            // From here on the pods of an earlier run are judged by the new programs; the maps stay.
            try kernel.takeOver { () throws(BPFError) in
                for workload in workloads { started.forms[workload.id] = try attachments.adopt(workload) }
                try attachments.detachAll(but: workloads)
            }
            running = started
        } catch {
            throw EngineError(error)
        }
        host = try? HostAddresses()
        refreshHostAddresses()
        return try enforcementNote()
    }

    private func enforcementNote() throws(EngineError) -> [String] {
        do throws(MapError) {
            return try running?.kernel.isEnforcing() != false
                ? [] : ["authorization is switched off; `kmeshctl authz enable` switches it on"]
        } catch {
            throw EngineError(error)
        }
    }

    private func adopt(into dataplane: inout AuthorizationDataplane) throws(BPFError) {
        do throws(MapError) {
            try dataplane.adopt()
        } catch {
            throw .failed("read the map \(error.map)", error.errno)
        }
    }

    public func protect(_ workload: LocalWorkload) async throws(EngineError) {
        guard running != nil else { throw .notStarted }
        let previous = running?.workloads[workload.id]
        running?.workloads[workload.id] = workload
        do {
            // Its addresses lead to its policies before the first connection is judged.
            if let update = try running?.dataplane.protect(workload) { note(update) }
            guard running?.isConfigured == true else { return }
            try attach(workload)
            if let previous, previous.networkNamespace.cookie != workload.networkNamespace.cookie {
                try running?.attachments.detach(previous)
            }
        } catch {
            if previous == nil { try? await release(workload.id) }
            throw engineError(error, workload)
        }
    }

    private func attach(_ workload: LocalWorkload) throws(BPFError) {
        let form = try running?.attachments.attach(workload)
        running?.forms[workload.id] = form
    }

    public func release(_ id: LocalWorkload.ID) async throws(EngineError) {
        guard let workload = running?.workloads[id] else { return }
        do {
            // The program goes first: without policies it would deny everything.
            try running?.attachments.detach(workload)
            running?.workloads[id] = nil
            running?.forms[id] = nil
            if let update = try running?.dataplane.release(id) { note(update) }
        } catch {
            throw engineError(error, workload)
        }
    }

    private func engineError(_ error: any Error, _ workload: LocalWorkload) -> EngineError {
        switch error {
        case let error as BPFError: EngineError(error)
        case let error as EngineError: error
        default:
            .attachFailed(program: "authorization", target: "pod \(workload.pod)", detail: "\(error)")
        }
    }

    public func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource] {
        guard running != nil else { return [] }
        let start = ContinuousClock.now
        for change in changes { noteNode(change) }
        updateNodeAddresses()
        guard let update = running?.dataplane.apply(changes) else { return [] }
        note(update)
        running?.activity.latestWrites = UInt64(update.writes)
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        running?.activity.latestDuration =
            UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
        if running?.isConfigured == false {
            running?.isConfigured = true
            attachThoseThatWait()
        }
        return update.rejected
    }

    /// Workloads that were enrolled before their policies were known.
    private func attachThoseThatWait() {
        for (id, workload) in running?.workloads ?? [:] where running?.forms[id] == nil {
            do throws(BPFError) {
                try attach(workload)
            } catch {
                log.error("pod \(workload.pod) is not protected: \(error)")
            }
        }
    }

    func note(_ update: AuthorizationUpdate) {
        running?.activity.writes += UInt64(update.writes)
        running?.changedDestinations.formUnion(update.destinations)
        running?.changedSources.formUnion(update.sources)
    }

    public func tend() async {
        guard running != nil else { return }
        refreshHostAddresses()
        if running?.dataplane.hasPendingWrites == true, let update = running?.dataplane.tend() {
            note(update)
        }
        if let dataplane = running?.dataplane {
            denials?.write { event in
                DenialLog.Names(
                    source: dataplane.workloadName(at: event.source.address),
                    destination: dataplane.workloadName(at: event.destination.address),
                    policy: dataplane.policy(numbered: event.policyID)?.description)
            }
        }
        endForbiddenConnections()
    }

    public func setEnforcing(_ isEnforcing: Bool) async throws(EngineError) {
        guard let running else { throw .notStarted }
        do throws(MapError) {
            try running.kernel.setEnforcing(isEnforcing)
        } catch {
            throw EngineError(error)
        }
    }

    public func stop(_ disposition: StopDisposition) async throws(EngineError) {
        running = nil
        denials = nil
        host = nil
        guard disposition == .removeAll else { return }
        do throws(BPFError) {
            let pins = try AuthzKernel.pins(options)
            // With their pins the links end.
            try pins.removeAll()
        } catch {
            throw EngineError(error)
        }
    }
}
