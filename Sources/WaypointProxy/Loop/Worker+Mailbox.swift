// What other threads ask: a new configuration, statistics, the end.
internal import KmeshKit

extension Worker {
    mutating func watchMailbox() {
        let slot = connectionSlots.take(connections)
        precondition(slot >= 0, "the first records are for the worker itself")
        connections[slot] = Connection()
        connections[slot].kind = .mailbox
        connections[slot].descriptor = mailbox.descriptor
        let result = queue.watchListener(mailbox.descriptor, EventToken(slot: slot, generation: 0))
        precondition(result == 0, "an eventfd can be watched")
    }

    mutating func readMailbox() {
        for message in mailbox.takeAll() {
            switch message {
            case .configure(let configuration): configure(configuration)
            case .pause: yieldListeners()
            case .resume: reclaimListeners()
            case .drain: drain()
            case .stop: isStopped = true
            case .collect(let answer): answer(statistics())
            case .log(let format, let file):
                accessLog.flush(telemetry)
                accessLog = AccessLog(format, to: file, capacity: logCapacity)
            }
        }
    }

    private mutating func configure(_ configuration: WaypointConfiguration) {
        telemetry.count(.configurationsTaken)
        let hasNewPolicies =
            configuration.authorization?.version != configurations.latest.authorization?.version
        configurations.replace(with: configuration)
        let removed = upstreams.apply(configuration.clusters)
        for endpoint in removed.endpoints {
            while upstreams.endpoints[endpoint].firstIdle >= 0 {
                closeUpstream(upstreams.endpoints[endpoint].firstIdle)
            }
            upstreams.release(endpoint)
        }
        // Those that wait find no endpoint now, or another one; more connections may be allowed.
        for cluster in 0..<upstreams.clusterCount where upstreams.clusters[cluster].waiting > 0 {
            noteDue(cluster)
        }
        for cluster in removed.clusters where upstreams.clusters[cluster].waiting > 0 { noteDue(cluster) }
        if hasNewPolicies { endForbiddenStreams() }
    }

    private mutating func drain() {
        guard !isDraining else { return }
        closeListeners()
        isDraining = true
        for slot in 0..<connectionSlots.highWater
        where connections[slot].kind == .downstream && isIdle(slot) {
            closeSoon(slot)
        }
    }

    private func statistics() -> WorkerStatistics {
        telemetry.set(.connectionsActive, to: Int64(downstreamCount))
        telemetry.set(.upstreamActive, to: Int64(upstreamCount - idleUpstreamCount))
        telemetry.set(.upstreamIdle, to: Int64(idleUpstreamCount))
        telemetry.set(.passthroughActive, to: Int64(streamCount))
        var statistics = WorkerStatistics()
        statistics.connections = downstreamCount
        statistics.exchanges = Int(exchangeSlots.used)
        statistics.upstreamConnections = upstreamCount
        statistics.idleUpstreamConnections = idleUpstreamCount
        statistics.streams = streamCount
        statistics.buffers = Int(buffers.held)
        statistics.version = configurations.latest.version
        statistics.telemetry = telemetry.snapshot()
        return statistics
    }

    /// At the worker's end: clients see their connections closed.
    mutating func closeEverything() {
        for slot in 0..<connectionSlots.highWater {
            switch connections[slot].kind {
            case .downstream, .upstream, .stream: Streams.close(connections[slot].descriptor)
            case .free, .mailbox, .listener: break
            }
        }
        pipes.closeAll()
    }
}
