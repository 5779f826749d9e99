/// Service ports that somebody else's maps lead to by their ids.

extension L4Dataplane {
    /// Leads entries of other maps to the service ports that are in force now. All of these are in the maps,
    /// and what is not wanted any more is removed after the call. When it throws, what is to be removed waits
    /// for the next call that does not. `renumbered` are the services with clusters whose ids have changed
    /// since the last one.
    public typealias Referral = (
        _ dataplane: L4Dataplane, _ renumbered: Set<ServiceKey>
    ) throws(MapError) -> Void

    /// Says which clusters the next `apply` keeps in force, also where a service has no address in their
    /// family or no endpoints. One that no service has the port of comes with that.
    public mutating func changeClusters(
        adding added: some Sequence<ClusterKey>, removing removed: some Sequence<ClusterKey>
    ) {
        for cluster in removed { clusters.remove(cluster) }
        for cluster in added { clusters.insert(cluster) }
    }

    /// What the maps know the service port by; `nil` when it is not in force.
    public func serviceID(of cluster: ClusterKey) -> UInt32? {
        inForce[cluster.service]?.port(cluster.port)?.id
    }

    /// What the maps know the service port by that answers at an address and port; `nil`: none does.
    public func serviceID(answering frontend: FrontendKey) -> UInt32? { frontends.owners[frontend] }

    /// The same as `apply`, with a referral between what it writes and what it removes.
    public mutating func apply(
        _ changes: [ResourceChange<MeshResource>], referral: Referral
    ) -> (rejected: [RejectedResource], writes: Int) {
        apply(changes) { $0.flush(referral) }
    }

    /// The same as `retryPending`, with a referral as in `apply`.
    public mutating func retryPending(referral: Referral) -> Int {
        reconcile([], found: []) { $0.flush(referral) }
    }

    private mutating func flush(_ referral: Referral) -> MapReconciler.Tally {
        reconciler.holdsRemovals = true
        var tally = reconciler.flush()
        guard reconciler.stall == nil else { return tally }
        do throws(MapError) {
            try referral(self, clusters.renumbered)
        } catch {
            reconciler.wait(because: error)
            return tally
        }
        clusters.told()
        reconciler.holdsRemovals = false
        tally += reconciler.flush()
        return tally
    }
}
