// What a new connection speaks, and where its requests belong.
internal import KmeshKit

extension Worker {
    /// Where requests of a connection go.
    enum Resolution {
        case table(Int32)
        /// All requests.
        case cluster(Int32)
        case nowhere(ExchangeReason)
    }

    /// The listener's and the target's part in where a request goes; the route table may have its own.
    @inline(__always)
    mutating func resolve(_ slot: Int32) -> Resolution {
        let configuration = configurations[exchanges[connections[slot].exchange].snapshot]
        if case .plain = listeners[Int(connections[slot].listener)].specification.kind {
            return configuration.plainTable.map { .table($0) } ?? .nowhere(.noRoute)
        }
        guard findTarget(slot) else {
            telemetry.count(.metadataUnknownDestination)
            return .nowhere(.unknownDestination)
        }
        let number = Int(connections[slot].target)
        if let table = configuration.targets.targets[number].table { return .table(table) }
        let cluster = configuration.targets.targets[number].cluster
        return cluster >= 0 ? .cluster(cluster) : .nowhere(.noCluster)
    }

    /// The connection's target in the current configuration. Whether it has one.
    @inline(__always)
    private mutating func findTarget(_ slot: Int32) -> Bool {
        if connections[slot].epoch != configurations.epoch {
            connections[slot].epoch = configurations.epoch
            connections[slot].target = lookUpTarget(slot)
        }
        return connections[slot].target >= 0
    }

    private func lookUpTarget(_ slot: Int32) -> Int32 {
        let flags = connections[slot].flags
        let targets = configurations.latest.targets
        if flags.contains(.hasShortForm) {
            return targets.find(shortForm: UInt32(truncatingIfNeeded: destinations[slot].low)) ?? -1
        }
        if flags.contains(.hasDestination) { return targets.find(destinations[slot].socketAddress) ?? -1 }
        return configurations.listenerTargets[Int(connections[slot].listener)]
    }

    /// A connection was accepted.
    mutating func beginProtocol(_ slot: Int32) {
        connections[slot].phase = .head
    }

    /// Goes on with metadata and sniffing. Whether the connection's phase changed, and there is more to do.
    mutating func advanceProtocol(_ slot: Int32) -> Bool { false }
}
