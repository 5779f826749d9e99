internal import KmeshKit
internal import Logging

/// What changes around the programs: the node's addresses, and connections that a changed policy forbids.
extension XDPAuthorizer {
    // MARK: The node's addresses

    func noteNode(_ change: ResourceChange<MeshResource>) {
        switch change {
        case .upsert(.node(let node)) where node.name == options.nodeName:
            running?.nodeAddresses = node.addresses
        case .remove(.node(options.nodeName)):
            running?.nodeAddresses = []
        default: break
        }
    }

    /// Those of the Node object, and those of the interfaces of the machine that the daemon runs on.
    func updateNodeAddresses() {
        guard let known = running?.nodeAddresses else { return }
        let own = host?.addresses ?? []
        if let update = running?.dataplane.setNodeAddresses(known + own) { note(update) }
    }

    /// Looks at the interfaces again.
    func refreshHostAddresses() {
        do throws(NetlinkError) {
            if try host?.refresh() == true { updateNodeAddresses() }
        } catch {
            log.error("the node's own addresses cannot be read: \(error)")
        }
    }

    // MARK: Drift

    /// Finds and repairs what somebody else has changed in the maps, a part at a time.
    func repairDrift() {
        guard let report = running?.dataplane.repairDrift() else { return }
        running?.activity.add(report)
        for text in report.texts { log.warning("\(text)") }
        let fault = report.fault.map { "\($0)" }
        if let fault, fault != running?.driftFault { log.error("drift cannot be looked for: \(fault)") }
        running?.driftFault = fault
    }

    // MARK: Established connections

    /// Ends connections of workloads whose policies have changed, or from addresses whose owner has. A
    /// namespace's sockets are listed on a thread of their own.
    func endForbiddenConnections() async {
        guard let current = running, current.isEnforcing,
            !current.changedDestinations.isEmpty || !current.changedSources.isEmpty
        else { return }
        running?.changedDestinations = []
        running?.changedSources = []
        for workload in current.workloads.values {
            let isChanged = !current.changedDestinations.isDisjoint(with: workload.addresses)
            guard isChanged || !current.changedSources.isEmpty else { continue }
            do throws(SocketDiagnosticsError) {
                let path = workload.networkNamespacePath
                let sockets = try await SocketDiagnostics.sockets(inNamespaceAt: path)
                let forbidden = Set(
                    sockets.connections.filter { socket in
                        (isChanged || current.changedSources.contains(socket.remote.address))
                            && sockets.isInbound(socket) && isForbidden(socket, to: workload.id)
                    })
                guard !forbidden.isEmpty else { continue }
                let ended = try await SocketDiagnostics.endConnections(inNamespaceAt: path) {
                    forbidden.contains($0)
                }
                running?.endedConnections += UInt64(ended)
                log.info(
                    "ended connections that policies forbid now",
                    metadata: ["pod": "\(workload.pod)", "connections": "\(ended)"])
            } catch {
                log.error("connections of pod \(workload.pod) that policies forbid may go on: \(error)")
                // Later, unless the kernel never does it.
                guard error != .unsupported, running?.workloads[workload.id] != nil else { continue }
                running?.changedDestinations.formUnion(workload.addresses)
            }
        }
    }

    private func isForbidden(_ socket: ConnectedSocket, to id: LocalWorkload.ID) -> Bool {
        guard let dataplane = running?.dataplane, !socket.remote.address.isLoopback else { return false }
        // XDP does not see what a pod sends to itself, and so does not judge it.
        if options.authorization.hook == .xdp, dataplane.destinations.owner(of: socket.remote.address) == id {
            return false
        }
        let query = AuthorizationQuery(
            source: socket.remote.address, destination: socket.local.address, port: socket.local.port)
        if options.authorization.letsProbesPass, dataplane.isProbe(query, of: id) { return false }
        return dataplane.decide(query)?.isAllowed == false
    }
}
