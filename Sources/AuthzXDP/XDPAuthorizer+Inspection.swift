public import KmeshKit

/// What authorization has in force, and what it would say of a connection.
extension XDPAuthorizer {
    public func activity() async -> EngineActivity {
        guard let running else { return EngineActivity() }
        var activity = running.activity
        activity.stall = running.dataplane.stall.map { "\($0)" }
        return activity
    }

    public func meters() async -> EngineMeters {
        guard let running else { return EngineMeters() }
        return EngineMeters(
            reasons: running.kernel.reasonCounts(),
            maps: running.kernel.mapSnapshots(counts: running.entriesByMap),
            programs: ProgramStatistics.use(of: running.kernel.program, named: "kmesh_authz").map { [$0] }
                ?? [],
            policies: (try? running.dataplane.policySnapshots()) ?? [])
    }

    public func snapshot() async -> AuthorizationSnapshot {
        guard let running else { return AuthorizationSnapshot() }
        let workloads = running.workloads.values.sorted { $0.pod < $1.pod }
        return AuthorizationSnapshot(
            isEnforcing: running.isEnforcing, hook: options.authorization.hook,
            policies: (try? running.dataplane.policySnapshots()) ?? [],
            workloads: workloads.map { workload in
                ProtectedWorkload(
                    pod: workload.pod, addresses: workload.addresses,
                    policies: running.dataplane.policies(protecting: workload.id),
                    attachment: running.attachment(of: workload.id),
                    probePorts: options.authorization.letsProbesPass
                        ? running.dataplane.probePorts(of: workload.id) : [])
            },
            endedConnections: running.endedConnections, reasons: running.kernel.reasonCounts(),
            maps: running.kernel.mapSnapshots(counts: running.entriesByMap))
    }

    public func verify() async throws -> [Difference] {
        guard let running else { throw EngineError.notStarted }
        let missing = running.workloads.values.sorted { $0.pod < $1.pod }.filter { workload in
            guard let form = running.attached[workload.id] else {
                return running.isConfigured && running.dataplane.isGuarded(workload.id)
            }
            return (try? running.attachments.isInForce(form, workload)) != true
        }
        return try running.dataplane.verify()
            + missing.map {
                Difference(map: "link", key: "pod \($0.pod)", wanted: "a program", found: nil)
            }
    }

    public func explain(
        _ question: AuthorizationQuestion
    ) async throws(ExplanationError) -> AuthorizationExplanation {
        guard let running else { throw .engine(.notStarted) }
        let query = try resolve(question, running)
        guard let id = running.dataplane.destinations.owner(of: query.destination) else {
            throw .notEnrolled(question.destination.description)
        }
        var explanation = running.dataplane.explain(query)
        explanation.sourceWorkload = running.dataplane.workloadName(at: query.source)
        if options.authorization.letsProbesPass, running.dataplane.isProbe(query, of: id) {
            explanation.isAllowed = true
            explanation.reason =
                "kubelet's probe of a declared port, which passes unless --authz-probes=check"
        }
        do throws(BPFError) {
            explanation.kernelVerdict = try kernelVerdict(query, running)
        } catch {
            throw .engine(EngineError(error))
        }
        return explanation
    }

    /// The first addresses of both sides that are of one family.
    private func resolve(
        _ question: AuthorizationQuestion, _ running: Running
    ) throws(ExplanationError) -> AuthorizationQuery {
        let sources = try addresses(of: question.source, running)
        let destinations = try addresses(of: question.destination, running)
        for destination in destinations {
            if let source = sources.first(where: { $0.family == destination.family }) {
                return AuthorizationQuery(source: source, destination: destination, port: question.port)
            }
        }
        throw .noCommonFamily(
            source: question.source.description, destination: question.destination.description)
    }

    private func addresses(
        of peer: AuthorizationQuestion.Peer, _ running: Running
    ) throws(ExplanationError) -> [IPAddress] {
        switch peer {
        case .address(let address): return [address]
        case .pod(let pod):
            if let enrolled = running.workloads.values.first(where: { $0.pod == pod }) {
                return enrolled.addresses
            }
            guard let record = running.dataplane.sources[pod.workloadUID], !record.addresses.isEmpty else {
                throw .unknownPod(pod)
            }
            return record.addresses
        }
    }

    /// Runs the program on the SYN of such a connection, which it counts nowhere.
    private func kernelVerdict(
        _ query: AuthorizationQuery, _ running: Running
    ) throws(BPFError) -> String {
        let program: BPFProgram
        do throws(Errno) {
            program = BPFProgram(try running.kernel.question.file.duplicate())
        } catch {
            throw .failed("open the program of questions", error)
        }
        let answer = ProgramAnswer(try program.run(packet: SYNFrame.bytes(query)).packet)
        let policy = running.dataplane.policy(numbered: answer.policyID).map { ", \($0)" } ?? ""
        return "\(answer.isAllowed ? "allow" : "deny") (\(answer.reason?.name ?? "?")\(policy))"
    }
}

extension AuthorizationDataplane {
    /// Whether policies protect the workload, or may: what comes to an address of it that is not known is
    /// then decided by the default.
    func isGuarded(_ id: LocalWorkload.ID) -> Bool {
        guard isConfigured, let workload = destinations[id] else { return true }
        return workload.addresses.contains { address in
            guard let view = held.destinations[address].flatMap({ views[$0] }) else { return true }
            return view.flags != 0 || !view.blockIDs.isEmpty
        }
    }

    /// The workload that has the address, as `namespace/name`; `nil` for none, or several.
    func workloadName(at address: IPAddress) -> String? {
        if let id = destinations.owner(of: address) { return destinations[id]?.pod.description }
        return sources.owner(of: address).flatMap { sources[$0] }.map { "\($0.namespace)/\($0.name)" }
    }

    /// Whether it is a connection that kubelet makes to see how the workload is.
    func isProbe(_ query: AuthorizationQuery, of id: LocalWorkload.ID) -> Bool {
        sources.nodeAddresses.contains(query.source) && probePorts(of: id).contains(query.port)
    }
}

extension XDPAuthorizer.Running {
    /// How the program is attached, or why it is not, as people read it.
    fileprivate func attachment(of id: LocalWorkload.ID) -> String {
        if let form = attached[id] { return form.name }
        guard dataplane.isGuarded(id) else { return "not needed" }
        return faults[id].map { "not attached: \($0)" } ?? "not attached"
    }

    fileprivate var entriesByMap: [String: Int] {
        Dictionary(dataplane.entryCounts.byMap.map { ($0.map, $0.count) }, uniquingKeysWith: { $1 })
    }
}
