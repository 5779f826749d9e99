internal import KmeshKit
internal import Logging

/// Has the layer take part in what L4 does.
extension SteeringEngine {
    public func readinessNote() async -> String? { layer?.readinessNote }

    /// Writes what waits, the layer's too.
    func retryPending() {
        let layerWaits = (layer?.activity.pendingWrites ?? 0) > 0
        guard let waiting = running?.dataplane.pendingWrites, waiting > 0 || layerWaits else { return }
        let writes = running?.retryPending(through: &layer) ?? 0
        running?.activity.writes += UInt64(writes)
    }

    func tendLayer() {
        guard let dataplane = running?.dataplane else { return }
        layer?.tend(dataplane)
        if layer?.wantsReload == true { reload() }
    }

    /// Loads the programs anew over the maps that are there, and puts them into the place of those that run.
    /// When that fails, these go on.
    private func reload() {
        guard let running else { return }
        let log = Logger(label: "engine")
        var fresh: (any SteeringLayer)?
        do throws(EngineError) {
            var kernel = try KernelState(definition, options, lock: running.kernel.lock, &fresh)
            kernel.wanted = kernel.programs.filter { running.kernel.wanted[$0.key] != nil }
            try kernel.attach(to: options.cgroupPath)
            self.running?.kernel = kernel
            self.running?.reloadFault = nil
        } catch {
            // It is tried again each second.
            if running.reloadFault != "\(error)" { log.error("the programs cannot be loaded anew: \(error)") }
            self.running?.reloadFault = "\(error)"
            return
        }
        guard let fresh else { return }
        layer?.adapt(to: fresh)
        log.notice("the programs were loaded anew")
        for note in fresh.notes { log.warning("\(note)") }
    }
}

extension SteeringEngine.Running {
    mutating func apply(
        _ changes: [ResourceChange<MeshResource>], through layer: inout (any SteeringLayer)?
    ) -> (rejected: [RejectedResource], writes: Int) {
        guard layer != nil else { return dataplane.apply(changes) }
        let others = layer?.prepare(changes, &dataplane) ?? []
        let (rejected, writes) = dataplane.apply(others.isEmpty ? changes : changes + others) {
            (dataplane, renumbered) throws(MapError) in
            try layer?.refer(to: dataplane, renumbered: renumbered)
        }
        let origins = rejected.map {
            RejectedResource(name: layer?.origin(of: $0.name) ?? $0.name, reason: $0.reason)
        }
        return (origins + (layer?.rejections(of: changes) ?? []), writes)
    }

    mutating func retryPending(through layer: inout (any SteeringLayer)?) -> Int {
        guard layer != nil else { return dataplane.retryPending() }
        return dataplane.retryPending { (dataplane, renumbered) throws(MapError) in
            try layer?.refer(to: dataplane, renumbered: renumbered)
        }
    }
}
