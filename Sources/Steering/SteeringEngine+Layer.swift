internal import KmeshKit

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
    }
}

extension SteeringEngine.Running {
    mutating func apply(
        _ changes: [ResourceChange<MeshResource>], through layer: inout (any SteeringLayer)?
    ) -> (rejected: [RejectedResource], writes: Int) {
        guard layer != nil else { return dataplane.apply(changes) }
        layer?.prepare(changes, &dataplane)
        let (rejected, writes) = dataplane.apply(changes) { (dataplane, renumbered) throws(MapError) in
            try layer?.refer(to: dataplane, renumbered: renumbered)
        }
        return (rejected + (layer?.rejections(of: changes) ?? []), writes)
    }

    mutating func retryPending(through layer: inout (any SteeringLayer)?) -> Int {
        guard layer != nil else { return dataplane.retryPending() }
        return dataplane.retryPending { (dataplane, renumbered) throws(MapError) in
            try layer?.refer(to: dataplane, renumbered: renumbered)
        }
    }
}
