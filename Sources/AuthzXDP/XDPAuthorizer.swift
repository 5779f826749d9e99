internal import BPFLoader
public import KmeshKit
internal import Logging

/// Enforces policies in the kernel, in the network namespace of each enrolled workload that they protect.
public actor XDPAuthorizer: AuthorizationEnforcer {
    let options: EngineOptions
    let log = Logger(label: "authz")
    var running: Running?
    // Outside of `running`, as they cannot be copied.
    var denials: DenialLog?
    var host: HostAddresses?

    /// What lives between `start` and `stop`.
    struct Running: Sendable {
        var dataplane: AuthorizationDataplane
        let kernel: AuthzKernel
        let attachments: PodAttachments
        var isEnforcing: Bool
        var workloads: [LocalWorkload.ID: LocalWorkload] = [:]
        /// How the program is attached to workloads that policies protect. A workload waits for the first
        /// configuration without.
        var attached: [LocalWorkload.ID: PodAttachments.Form] = [:]
        /// Why it is not attached as it should be, for each workload that has been told of.
        var faults: [LocalWorkload.ID: String] = [:]
        var isConfigured = false
        var activity = EngineActivity()
        /// Addresses of workloads, and of who connects to them, whose established connections have to be
        /// looked at.
        var changedDestinations: Set<IPAddress> = []
        var changedSources: Set<IPAddress> = []
        var endedConnections: UInt64 = 0
        /// Why drift could not be looked for, as far as it has been told.
        var driftFault: String?
        /// The addresses of the node as its Node object has them.
        var nodeAddresses: [IPAddress] = []
    }

    public init(_ options: EngineOptions) {
        self.options = options
    }

    // MARK: Start and end

    public func start(protecting workloads: [LocalWorkload]) async throws(EngineError) -> [String] {
        do throws(BPFError) {
            try KernelFeatures.requireAuthorization(hook: options.authorization.hook)
            let kernel = try AuthzKernel(options)
            running = try take(workloads, over: kernel)
            denials = try DenialLog(kernel.events.file)
        } catch {
            throw EngineError(error)
        }
        var notes: [String] = []
        do throws(NetlinkError) {
            host = try HostAddresses()
        } catch {
            notes.append(
                "the node's own addresses are unknown, so that probes from them are denied: \(error)")
        }
        refreshHostAddresses()
        if running?.isEnforcing == false {
            notes.append("authorization is switched off; `kmeshctl authz enable` switches it on")
        }
        return notes
    }

    /// The pods of an earlier run are judged by the new programs when this returns, over the same maps.
    private func take(
        _ workloads: [LocalWorkload], over kernel: AuthzKernel
    ) throws(BPFError) -> Running {
        let attachments = PodAttachments(
            pins: kernel.pins, options: options.authorization, program: kernel.program)
        var dataplane = AuthorizationDataplane(maps: kernel.maps, grace: try KernelGracePeriod())
        let isEnforcing: Bool
        do throws(MapError) {
            try dataplane.adopt()
            isEnforcing = try kernel.isEnforcing()
        } catch {
            throw .failed("read the map \(error.map)", error.errno)
        }
        var started = Running(
            dataplane: dataplane, kernel: kernel, attachments: attachments, isEnforcing: isEnforcing)
        // Before the first configuration this writes nothing, and cannot fail.
        for workload in workloads { _ = try? started.dataplane.protect(workload) }
        started.workloads = Dictionary(workloads.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        try kernel.takeOver { () throws(BPFError) in
            for workload in workloads {
                started.attached[workload.id] = try attachments.adopt(workload)
            }
            try attachments.detachAll(but: workloads)
        }
        return started
    }

    public func abandon() async {
        let made = running.flatMap { $0.kernel.isAdopted ? nil : $0.kernel.pins }
        try? await stop(.keepPinned)
        try? made?.removeAll()
    }

    public func stop(_ disposition: StopDisposition) async throws(EngineError) {
        running = nil
        denials = nil
        host = nil
        guard disposition == .removeAll else { return }
        do throws(BPFError) {
            // With their pins the links end.
            try AuthzKernel.layouts(options).removeAll()
        } catch {
            throw EngineError(error)
        }
    }

    // MARK: Workloads

    public func protect(_ workload: LocalWorkload) async throws(EngineError) {
        guard running != nil else { throw .notStarted }
        let previous = running?.workloads[workload.id]
        for other in running?.workloads.values.map({ $0 }) ?? []
        where other.id != workload.id && !Set(other.addresses).isDisjoint(with: workload.addresses) {
            log.warning(
                "two pods share an address: the policies of one hold for both; withdraw what is gone",
                metadata: ["pod": "\(workload.pod)", "other": "\(other.pod)"])
        }
        running?.workloads[workload.id] = workload
        do {
            // Its addresses lead to its policies before the first connection is judged.
            if let update = try running?.dataplane.protect(workload) { note(update) }
            guard running?.isConfigured == true else { return }
            try settle(workload)
            if let previous, previous.networkNamespace.cookie != workload.networkNamespace.cookie {
                try running?.attachments.detach(previous)
            }
        } catch {
            if previous == nil { try? await release(workload.id) }
            throw engineError(error, workload)
        }
    }

    public func release(_ id: LocalWorkload.ID) async throws(EngineError) {
        guard let workload = running?.workloads[id] else { return }
        do {
            // The program goes first: without policies it would deny everything.
            try running?.attachments.detach(workload)
            running?.attached[id] = nil
            running?.faults[id] = nil
            // It is forgotten even where its entries wait for their removal.
            running?.workloads[id] = nil
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

    /// Attaches the program, or gives the link the one of this run; detaches it where no policy protects the
    /// workload: XDP on a veth costs each packet, and the kernel the segmentation of what the peer sends.
    private func settle(_ workload: LocalWorkload) throws(BPFError) {
        guard let running else { return }
        if running.dataplane.isGuarded(workload.id) {
            self.running?.attached[workload.id] = try running.attachments.attach(workload)
            // What came in before has been judged by nobody.
            if running.isEnforcing { self.running?.changedDestinations.formUnion(workload.addresses) }
        } else {
            try running.attachments.detach(workload)
            self.running?.attached[workload.id] = nil
            // Said now, and not when a policy comes.
            if let obstacle = try running.attachments.obstacle(to: workload) {
                log.warning("no policy could be enforced for pod \(workload.pod): \(obstacle)")
            }
        }
        self.running?.faults[workload.id] = nil
    }

    /// Attaches where the program is missing, and detaches where it is not needed: pods that waited for their
    /// policies, whose first policy came or whose last one went, or whose link somebody took away.
    /// - Parameter looksAtLinks: asks the kernel for each link.
    func settleAttachments(looksAtLinks: Bool) {
        guard let running, running.isConfigured else { return }
        for (id, workload) in running.workloads {
            do throws(BPFError) {
                let form = running.attached[id]
                if running.dataplane.isGuarded(id) == (form != nil) {
                    guard looksAtLinks, let form, try !running.attachments.isInForce(form, workload) else {
                        self.running?.faults[id] = nil
                        continue
                    }
                    log.error("the program of pod \(workload.pod) was taken away; attaching it again")
                    self.running?.attached[id] = nil
                }
                try settle(workload)
            } catch {
                let fault = "\(error)"
                if running.faults[id] != fault {
                    log.error("authorization of pod \(workload.pod) is not as it should be: \(fault)")
                }
                self.running?.faults[id] = fault
            }
        }
    }

    // MARK: Configuration

    public func apply(_ changes: [ResourceChange<MeshResource>]) async -> [RejectedResource] {
        guard running != nil else {
            return changes.map { RejectedResource(name: $0.name, reason: "\(EngineError.notStarted)") }
        }
        let start = ContinuousClock.now
        for change in changes { noteNode(change) }
        updateNodeAddresses()
        guard let update = running?.dataplane.apply(changes) else { return [] }
        note(update)
        running?.activity.latestWrites = UInt64(update.writes)
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        running?.activity.latestDuration =
            UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
        running?.isConfigured = true
        settleAttachments(looksAtLinks: false)
        return update.rejected
    }

    func note(_ update: AuthorizationUpdate) {
        running?.activity.writes += UInt64(update.writes)
        guard running?.isEnforcing == true else { return }
        running?.changedDestinations.formUnion(update.destinations)
        running?.changedSources.formUnion(update.sources)
    }

    public func tend() async {
        guard running != nil else { return }
        refreshHostAddresses()
        if running?.dataplane.hasPendingWrites == true, let update = running?.dataplane.tend() {
            note(update)
        }
        repairDrift()
        settleAttachments(looksAtLinks: true)
        if let dataplane = running?.dataplane {
            denials?.write { event in
                DenialLog.Names(
                    source: dataplane.workloadName(at: event.source.address),
                    destination: dataplane.workloadName(at: event.destination.address),
                    policy: dataplane.policy(numbered: event.policyID)?.description)
            }
        }
        await endForbiddenConnections()
    }

    public func setEnforcing(_ isEnforcing: Bool) async throws(EngineError) {
        guard let running else { throw .notStarted }
        do throws(MapError) {
            try running.kernel.setEnforcing(isEnforcing)
        } catch {
            throw EngineError(error)
        }
        self.running?.isEnforcing = isEnforcing
        // What came in meanwhile has been judged by nobody.
        if isEnforcing {
            self.running?.changedDestinations.formUnion(running.workloads.values.flatMap(\.addresses))
        }
    }
}
