// Bytes that are passed through as they are: two connections, and a pipe for each direction that has bytes.
internal import KmeshKit

extension Worker {
    /// A client's connection turns out to be none of HTTP: it gets a connection of its own to an endpoint.
    mutating func beginStream(_ slot: Int32) {
        if connections[slot].began == 0 { connections[slot].began = now }
        // Bytes that wait are the client's own, or they would have been taken off.
        if connections[slot].start < connections[slot].end { connections[slot].flags.remove(.recordsFollow) }
        let exchange = takeExchange(slot)
        guard exchange >= 0 else { return closeDownstream(slot) }
        exchanges[exchange].record.isPassthrough = true
        exchanges[exchange].log = accessLog.begin(telemetry)
        connections[slot].kind = .stream
        connections[slot].otherSide = -1
        connections[slot].pipe = -1
        connections[slot].endpoint = -1
        streamCount += 1
        // While the first bytes were awaited, another configuration may have come.
        guard findTarget(slot) else { return endStream(exchange, .unknownDestination) }
        let target = configurations.latest.targets.targets[Int(connections[slot].target)]
        if target.policies >= 0, refusesStream(exchange, slot, target.protection, isNew: true) {
            exchanges[exchange].record.cluster = target.cluster
            return endStream(exchange, .policyDenied)
        }
        if case .workload = target.kind {
            guard connections[slot].flags.contains(.hasDestination) else {
                return endStream(exchange, .unknownDestination)
            }
            connectStream(exchange, to: destinations[slot])
        } else {
            exchanges[exchange].cluster = target.cluster
            exchanges[exchange].record.cluster = target.cluster
            startStream(exchange)
        }
    }

    /// Chooses an endpoint of the cluster and connects to it.
    private mutating func startStream(_ exchange: Int32) {
        let cluster = exchanges[exchange].cluster
        while true {
            guard upstreams.hasCluster(cluster) else { return endStream(exchange, .noCluster) }
            let state = upstreams.clusters[cluster]
            guard state.connections < state.maximumConnections else {
                telemetry.count(.connectionOverflow)
                return endStream(exchange, .overflow)
            }
            let hash = state.policy == .sourceHash ? clientHash(exchanges[exchange].downstream) : 0
            let endpoint = upstreams.choose(cluster, hash: hash, now: now, last: exchanges[exchange].endpoint)
            guard endpoint >= 0 else { return endStream(exchange, .noEndpoint) }
            exchanges[exchange].record.attempts &+= 1
            switch connect(exchange, endpoint) {
            case .started: return joinStream(exchange)
            case .noDescriptor: return endStream(exchange, .overflow)
            case .failed:
                guard mayTryAnother(exchange, endpoint) else { return endStream(exchange, .connectFailed) }
            }
        }
    }

    private mutating func connectStream(_ exchange: Int32, to address: StreamAddress) {
        telemetry.count(.upstreamConnects)
        exchanges[exchange].record.attempts &+= 1
        let descriptor = open(address)
        guard descriptor >= 0 else { return endStream(exchange, .connectFailed) }
        let upstream = take(descriptor, .stream)
        guard upstream >= 0 else { return endStream(exchange, .overflow) }
        upstreamCount += 1
        connections[upstream].exchange = exchange
        exchanges[exchange].upstream = upstream
        timers.set(upstream, now + options.timeouts.connect * 1000)
        joinStream(exchange)
    }

    private mutating func joinStream(_ exchange: Int32) {
        let (client, upstream) = (exchanges[exchange].downstream, exchanges[exchange].upstream)
        connections[upstream].kind = .stream
        connections[upstream].flags.insert(.connecting)
        join(client, upstream)
    }

    private func join(_ client: Int32, _ upstream: Int32) {
        connections[client].otherSide = upstream
        connections[upstream].otherSide = client
        connections[client].pipe = -1
        connections[upstream].pipe = -1
    }

    /// After 101 both connections go on as a stream, with the bytes that came behind the heads.
    mutating func beginUpgraded(_ exchange: Int32, _ upstream: Int32) {
        telemetry.count(.upgradedConnections)
        let client = exchanges[exchange].downstream
        connections[client].kind = .stream
        connections[upstream].kind = .stream
        connections[client].endpoint = -1
        streamCount += 1
        join(client, upstream)
        exchanges[exchange].requestDeadline = 0
        exchanges[exchange].backendDeadline = 0
        exchanges[exchange].idleDeadline = 0
        connections[client].flags.insert(.readable)
        timers.set(client, now + options.timeouts.streamIdle * 1000)
        let generation = connections[client].generation
        pumpStream(from: client)
        guard connections[client].generation == generation else { return }
        pumpStream(from: upstream)
    }

    mutating func handleStream(_ slot: Int32, _ events: StreamEvents) {
        let exchange = connections[slot].exchange
        if connections[slot].flags.contains(.connecting) {
            if !events.isDisjoint(with: [.error, .hangUp]) { return streamConnectFailed(exchange, slot) }
            guard events.contains(.output) else { return }
            streamConnected(exchange, slot)
        }
        let generation = connections[slot].generation
        if events.contains(.error) { return breakStream(exchange, slot) }
        if !events.isDisjoint(with: [.input, .peerClosed, .hangUp]) {
            connections[slot].flags.insert(.readable)
        }
        let other = connections[slot].otherSide
        if events.contains(.output), other >= 0 {
            pumpStream(from: other)
            guard connections[slot].generation == generation else { return }
        }
        if connections[slot].flags.contains(.readable) { pumpStream(from: slot) }
    }

    private mutating func streamConnected(_ exchange: Int32, _ slot: Int32) {
        connections[slot].flags.remove(.connecting)
        timers.clear(slot)
        if connections[slot].endpoint >= 0 { upstreams.noteSuccess(connections[slot].endpoint) }
        exchanges[exchange].record.upstreamDuration = now - exchanges[exchange].record.start
        timers.set(connections[slot].otherSide, now + options.timeouts.streamIdle * 1000)
    }

    private mutating func streamConnectFailed(_ exchange: Int32, _ slot: Int32) {
        let endpoint = connections[slot].endpoint
        let client = exchanges[exchange].downstream
        connections[client].otherSide = -1
        guard endpoint >= 0 else { return endStream(exchange, .connectFailed) }
        upstreams.endpoints[endpoint].active += 1
        closeStreamUpstream(slot)
        exchanges[exchange].upstream = -1
        let mayTry = mayTryAnother(exchange, endpoint)
        upstreams.endpoints[endpoint].active -= 1
        upstreams.release(endpoint)
        guard mayTry else { return endStream(exchange, .connectFailed) }
        startStream(exchange)
    }

    /// One side failed: both see a reset, since bytes may be missing.
    private mutating func breakStream(_ exchange: Int32, _ slot: Int32) {
        let other = connections[slot].otherSide
        if other >= 0 { Streams.resetOnClose(connections[other].descriptor) }
        Streams.resetOnClose(connections[slot].descriptor)
        let isClient = slot == exchanges[exchange].downstream
        endStream(exchange, isClient ? .clientClosed : .upstreamReset)
    }

    /// Closes both sides and records what went through.
    mutating func endStream(_ exchange: Int32, _ reason: ExchangeReason) {
        let (client, upstream) = (exchanges[exchange].downstream, exchanges[exchange].upstream)
        exchanges[exchange].record.reason = reason
        let hasFailed = ![.completed, .clientClosed, .upstreamReset, .draining].contains(reason)
        if hasFailed { Streams.resetOnClose(connections[client].descriptor) }
        if upstream >= 0 {
            closeStreamUpstream(upstream)
            exchanges[exchange].upstream = -1
        }
        endExchange(exchange)
        dropPipe(client)
        streamCount -= 1
        closeDownstream(client)
    }

    private mutating func closeStreamUpstream(_ slot: Int32) {
        dropPipe(slot)
        let endpoint = connections[slot].endpoint
        guard endpoint >= 0 else {
            upstreamCount -= 1
            return give(slot)
        }
        closeUpstream(slot)
    }

    private mutating func dropPipe(_ slot: Int32) {
        let pipe = connections[slot].pipe
        guard pipe >= 0 else { return }
        pipes.give(pipe)
        connections[slot].pipe = -1
    }

    mutating func streamExpired(_ slot: Int32) {
        let exchange = connections[slot].exchange
        if connections[slot].flags.contains(.connecting) {
            telemetry.count(.upstreamConnectTimeouts)
            return streamConnectFailed(exchange, slot)
        }
        if connections[slot].flags.contains(.recordsFollow), connections[slot].start < connections[slot].end {
            // What looked like the announced records does not go on.
            connections[slot].flags.remove(.recordsFollow)
            return pumpStream(from: slot)
        }
        telemetry.count(.idleTimeouts)
        endStream(exchange, .clientTimeout)
    }

    // MARK: Moving bytes

    /// How one step of a direction went.
    private enum Flow {
        /// Something moved: there may be more.
        case moved
        /// Nothing can be done before the next event.
        case waits
        case ended
        case broken
    }

    /// Moves what has come from one side to the other, until one of them has had enough.
    mutating func pumpStream(from source: Int32) {
        let exchange = connections[source].exchange
        let sink = connections[source].otherSide
        guard sink >= 0, !connections[sink].flags.contains(.connecting) else { return }
        var moves = 0
        while true {
            switch step(source, sink, exchange) {
            case .moved:
                moves += 1
                if moves < Self.readsPerTurn { continue }
                noteDue(connection: source)
            case .waits: break
            case .ended:
                if finishDirection(source, sink, exchange) { return }
            case .broken:
                return breakStream(exchange, sink)
            }
            break
        }
        if moves > 0 {
            timers.set(exchanges[exchange].downstream, now + options.timeouts.streamIdle * 1000)
        }
        let pipe = connections[source].pipe
        if pipe >= 0, pipes[pipe].filled == 0 { dropPipe(source) }
    }

    private mutating func step(_ source: Int32, _ sink: Int32, _ exchange: Int32) -> Flow {
        if connections[source].flags.contains(.recordsFollow) { return receiveRecords(source) }
        if connections[source].start < connections[source].end { return sendHeld(source, sink, exchange) }
        if connections[source].flags.contains(.ended), connections[source].pipe < 0 { return .ended }
        if connections[source].pipe < 0, connections[source].flags.contains(.readable),
            !connections[source].flags.contains(.copies)
        {
            connections[source].pipe = pipes.take(telemetry)
            if connections[source].pipe < 0 { connections[source].flags.insert(.copies) }
        }
        if connections[source].pipe >= 0 { return splice(source, sink, exchange) }
        return copy(source)
    }

    /// Bytes that were read before it was known what they are, or that are copied.
    private mutating func sendHeld(_ source: Int32, _ sink: Int32, _ exchange: Int32) -> Flow {
        let range = Int(connections[source].start)..<Int(connections[source].end)
        let chunk = connections[source].buffer
        let count = Streams.send(connections[sink].descriptor, from: buffers[chunk], range)
        guard count >= 0 else { return count == Streams.again ? .waits : .broken }
        connections[source].start += Int32(count)
        note(count, source, exchange)
        if connections[source].start == connections[source].end { dropBuffer(source) }
        return .moved
    }

    private mutating func splice(_ source: Int32, _ sink: Int32, _ exchange: Int32) -> Flow {
        let pipe = connections[source].pipe
        var hasMoved = false
        if connections[source].flags.contains(.readable), pipes[pipe].filled < pipes[pipe].capacity {
            let room = Int(pipes[pipe].capacity - pipes[pipe].filled)
            let count = Streams.splice(
                from: connections[source].descriptor, to: pipes[pipe].writing, count: room)
            if count > 0 {
                pipes[pipe].filled += Int32(count)
                hasMoved = true
            } else if count == 0 {
                connections[source].flags.remove(.readable)
                connections[source].flags.insert(.ended)
            } else if count == Streams.again {
                // The socket is empty, or the pipe has no page left.
                if pipes[pipe].filled == 0 { connections[source].flags.remove(.readable) }
            } else {
                return .broken
            }
        }
        guard pipes[pipe].filled > 0 else {
            guard connections[source].flags.contains(.ended) else { return hasMoved ? .moved : .waits }
            return .ended
        }
        let count = Streams.splice(
            from: pipes[pipe].reading, to: connections[sink].descriptor, count: Int(pipes[pipe].filled))
        guard count >= 0 else { return count == Streams.again ? .waits : .broken }
        pipes[pipe].filled -= Int32(count)
        note(count, source, exchange)
        return .moved
    }

    /// Without a pipe: through a buffer.
    private mutating func copy(_ source: Int32) -> Flow {
        guard connections[source].flags.contains(.readable) else {
            dropBuffer(source)
            return connections[source].flags.contains(.ended) ? .ended : .waits
        }
        if connections[source].buffer < 0, !takeBuffer(source, large: true) { return .broken }
        connections[source].start = 0
        connections[source].end = 0
        return receiveHeld(source)
    }

    private mutating func receiveHeld(_ source: Int32) -> Flow {
        let chunk = connections[source].buffer
        let end = Int(connections[source].end)
        let range = end..<(end + room(source))
        let count = Streams.receive(connections[source].descriptor, into: buffers[chunk], range)
        if count > 0 {
            connections[source].end += Int32(count)
            return .moved
        }
        connections[source].flags.remove(.readable)
        if count == 0 {
            connections[source].flags.insert(.ended)
            return .moved
        }
        return count == Streams.again ? .waits : .broken
    }

    /// The metadata that an option announced comes with the client's first bytes, after the stream has begun.
    private mutating func receiveRecords(_ source: Int32) -> Flow {
        guard connections[source].flags.contains(.readable) else {
            guard connections[source].flags.contains(.ended) else { return .waits }
            connections[source].flags.remove(.recordsFollow)
            return .moved
        }
        if connections[source].buffer < 0, !takeBuffer(source) { return .broken }
        let flow = receiveHeld(source)
        _ = takeAnnouncedRecords(source)
        dropEmptyBuffer(source)
        return flow
    }

    @inline(__always)
    private func note(_ count: Int, _ source: Int32, _ exchange: Int32) {
        if source == exchanges[exchange].downstream {
            exchanges[exchange].record.bytesReceived &+= Int64(count)
        } else {
            exchanges[exchange].record.bytesSent &+= Int64(count)
        }
    }

    /// The end of one direction is passed on. Whether it was the second, and both connections are closed.
    private mutating func finishDirection(_ source: Int32, _ sink: Int32, _ exchange: Int32) -> Bool {
        if !connections[sink].flags.contains(.sendingEnded) {
            connections[sink].flags.insert(.sendingEnded)
            Streams.finishSending(connections[sink].descriptor)
        }
        guard connections[source].flags.contains(.sendingEnded) else { return false }
        endStream(exchange, .completed)
        return true
    }
}
