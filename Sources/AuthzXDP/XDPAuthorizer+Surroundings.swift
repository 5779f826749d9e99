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
        if (try? host?.refresh()) == true { updateNodeAddresses() }
    }

    // MARK: Established connections

    /// Ends connections of workloads whose policies have changed, or from addresses whose owner has.
    func endForbiddenConnections() {
        guard let current = running, (try? current.kernel.isEnforcing()) == true,
            !current.changedDestinations.isEmpty || !current.changedSources.isEmpty
        else { return }
        running?.changedDestinations = []
        running?.changedSources = []
        for workload in current.workloads.values {
            let isChanged = !current.changedDestinations.isDisjoint(with: workload.addresses)
            guard isChanged || !current.changedSources.isEmpty else { continue }
            do {
                let namespace = try NetworkNamespace(path: workload.networkNamespacePath)
                var diagnostics = try SocketDiagnostics(in: namespace)
                let ended = try diagnostics.endConnections { connection in
                    (isChanged || current.changedSources.contains(connection.remote.address))
                        && isForbidden(connection, to: workload.id, current.dataplane)
                }
                guard ended > 0 else { continue }
                running?.endedConnections += UInt64(ended)
                log.info(
                    "ended connections that policies forbid now",
                    metadata: ["pod": "\(workload.pod)", "connections": "\(ended)"])
            } catch {
                log.error("connections of pod \(workload.pod) that policies forbid may go on: \(error)")
            }
        }
    }

    private func isForbidden(
        _ connection: ConnectedSocket, to id: LocalWorkload.ID, _ dataplane: AuthorizationDataplane
    ) -> Bool {
        guard !connection.remote.address.isLoopback else { return false }
        let query = AuthorizationQuery(
            source: connection.remote.address, destination: connection.local.address,
            port: connection.local.port)
        if options.authorization.letsProbesPass, dataplane.isProbe(query, of: id) { return false }
        return dataplane.decide(query)?.isAllowed == false
    }
}
