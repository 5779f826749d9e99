// Attempts: an endpoint, a connection to it, the request on its way; and what happens when one fails.
internal import KmeshKit

extension Worker {
    /// Sends the request to an endpoint of its cluster, over a pooled or a new connection. When none can be
    /// had, the exchange waits or is answered.
    mutating func startAttempt(_ exchange: Int32) {
        let cluster = exchanges[exchange].cluster
        exchanges[exchange].phase = .forwarding
        while true {
            guard upstreams.hasCluster(cluster) else {
                return failExchange(exchange, status: 503, .noCluster)
            }
            let slot = exchanges[exchange].downstream
            let hash = upstreams.clusters[cluster].policy == .sourceHash ? clientHash(slot) : 0
            let endpoint = upstreams.choose(cluster, hash: hash, now: now, last: exchanges[exchange].endpoint)
            guard endpoint >= 0 else { return failExchange(exchange, status: 503, .noEndpoint) }
            exchanges[exchange].attemptStart = now
            if takePooled(exchange, endpoint) { return }
            let state = upstreams.clusters[cluster]
            guard state.connections < state.maximumConnections else {
                if takeAnyPooled(exchange, cluster) { return }
                return wait(exchange)
            }
            switch connect(exchange, endpoint) {
            case .started: return noteAttempt(exchange)
            case .noDescriptor: return waitForDescriptor(exchange)
            case .noRecord: return failExchange(exchange, status: 503, .overflow)
            case .failed:
                noteAttempt(exchange)
                guard tryElsewhere(exchange, endpoint) else { return }
            }
        }
    }

    /// An attempt that is not the first. The client may have sent more than there was room for meanwhile: no
    /// event will tell of it again.
    mutating func startLater(_ exchange: Int32) {
        guard !exchanges[exchange].record.isPassthrough else { return startStream(exchange) }
        startAttempt(exchange)
        resumeReceiving(exchange)
    }

    /// Without the port: all connections of a client go to the same endpoint.
    func clientHash(_ slot: Int32) -> UInt64 {
        var client = connections[slot].peer
        client.port = 0
        return stableHash(client)
    }

    private mutating func noteAttempt(_ exchange: Int32) {
        exchanges[exchange].record.attempts &+= 1
        let timeout = exchanges[exchange].backendTimeout
        if timeout > 0 { exchanges[exchange].backendDeadline = now + Int64(timeout) * 1000 }
    }

    // MARK: Connections

    /// Takes the pooled connection that was used last, and sends the request over it.
    @inline(__always)
    private mutating func takePooled(_ exchange: Int32, _ endpoint: Int32) -> Bool {
        let upstream = upstreams.endpoints[endpoint].firstIdle
        guard upstream >= 0, !exchanges[exchange].flags.contains(.wantsFresh) else { return false }
        telemetry.count(.poolHits)
        removeFromPool(upstream, endpoint)
        connections[upstream].flags.insert(.reused)
        connections[upstream].phase = .response
        attach(exchange, upstream, endpoint)
        noteAttempt(exchange)
        sendRequest(exchange)
        return true
    }

    /// The cluster has all the connections that it may have: whichever endpoint has one to spare serves.
    private mutating func takeAnyPooled(_ exchange: Int32, _ cluster: Int32) -> Bool {
        let wantsFresh = exchanges[exchange].flags.contains(.wantsFresh)
        exchanges[exchange].flags.remove(.wantsFresh)
        for endpoint in upstreams.members(of: cluster) where upstreams.endpoints[endpoint].firstIdle >= 0 {
            guard !wantsFresh else {
                // Room for a new one is made instead.
                closeUpstream(upstreams.endpoints[endpoint].firstIdle)
                return false
            }
            return takePooled(exchange, endpoint)
        }
        return false
    }

    enum ConnectResult {
        case started, failed
        /// The exchange may wait for one.
        case noDescriptor
        /// The worker has as many connections as it may have.
        case noRecord
    }

    mutating func connect(_ exchange: Int32, _ endpoint: Int32) -> ConnectResult {
        telemetry.count(.upstreamConnects)
        let descriptor = open(upstreams.endpoints[endpoint].address)
        guard descriptor >= 0 else {
            return Streams.isOutOfDescriptors(descriptor) ? .noDescriptor : .failed
        }
        let upstream = take(descriptor, .upstream)
        guard upstream >= 0 else { return .noRecord }
        connections[upstream].endpoint = endpoint
        connections[upstream].phase = .connecting
        upstreamCount += 1
        upstreams.endpoints[endpoint].connections += 1
        upstreams.clusters[upstreams.endpoints[endpoint].cluster].connections += 1
        if upstreams.endpoints[endpoint].isPassedOver { upstreams.endpoints[endpoint].isProbed = true }
        attach(exchange, upstream, endpoint)
        timers.set(upstream, now + options.timeouts.connect * 1000)
        return .started
    }

    @inline(__always)
    private mutating func attach(_ exchange: Int32, _ upstream: Int32, _ endpoint: Int32) {
        exchanges[exchange].upstream = upstream
        exchanges[exchange].endpoint = endpoint
        connections[upstream].exchange = exchange
        upstreams.endpoints[endpoint].active &+= 1
    }

    /// The exchange has no upstream any more; a connection in use is closed.
    mutating func detachUpstream(_ exchange: Int32) {
        let upstream = exchanges[exchange].upstream
        if upstream >= 0 { closeUpstream(upstream) }
    }

    mutating func closeUpstream(_ upstream: Int32) {
        let endpoint = connections[upstream].endpoint
        let cluster = upstreams.endpoints[endpoint].cluster
        if connections[upstream].phase == .idle {
            removeFromPool(upstream, endpoint)
        } else {
            releaseExchange(upstream, endpoint)
        }
        if connections[upstream].phase == .connecting { upstreams.endpoints[endpoint].isProbed = false }
        upstreamCount -= 1
        upstreams.endpoints[endpoint].connections -= 1
        upstreams.clusters[cluster].connections -= 1
        if upstreams.clusters[cluster].waiting > 0 { noteDue(cluster) }
        upstreams.release(endpoint)
        give(upstream)
    }

    @inline(__always)
    private mutating func releaseExchange(_ upstream: Int32, _ endpoint: Int32) {
        let exchange = connections[upstream].exchange
        guard exchange >= 0 else { return }
        exchanges[exchange].upstream = -1
        connections[upstream].exchange = -1
        upstreams.endpoints[endpoint].active &-= 1
    }

    /// After a response: the connection waits for the next request, unless it is known to end.
    @inline(__always)
    mutating func poolUpstream(_ upstream: Int32) {
        let endpoint = connections[upstream].endpoint
        let isUsable =
            connections[upstream].start == connections[upstream].end
            && connections[upstream].flags.isDisjoint(with: [.peerClosed, .ended])
            && !upstreams.endpoints[endpoint].isRemoved && !isDraining && isDrained(upstream)
        guard isUsable else { return closeUpstream(upstream) }
        if upstreams.endpoints[endpoint].idle >= options.limits.idleConnectionsPerEndpoint {
            telemetry.count(.poolEvictions)
            return closeUpstream(upstream)
        }
        releaseExchange(upstream, endpoint)
        dropBuffer(upstream)
        connections[upstream].phase = .idle
        connections[upstream].flags.remove(.readable)
        let first = upstreams.endpoints[endpoint].firstIdle
        connections[upstream].next = first
        connections[upstream].previous = -1
        if first >= 0 { connections[first].previous = upstream }
        upstreams.endpoints[endpoint].firstIdle = upstream
        upstreams.endpoints[endpoint].idle &+= 1
        idleUpstreamCount &+= 1
        timers.set(upstream, now &+ options.timeouts.upstreamIdle &* 1000)
        let cluster = upstreams.endpoints[endpoint].cluster
        if upstreams.clusters[cluster].waiting > 0 { noteDue(cluster) }
    }

    /// Nothing waits in the socket that would be taken for the next response. It is asked only when the last
    /// read filled its buffer; what comes later is an event.
    @inline(__always)
    private func isDrained(_ upstream: Int32) -> Bool {
        guard connections[upstream].flags.contains(.readable) else { return true }
        return Streams.peek(connections[upstream].descriptor, into: scratch, 0..<1) == Streams.again
    }

    @inline(__always)
    private mutating func removeFromPool(_ upstream: Int32, _ endpoint: Int32) {
        let (next, previous) = (connections[upstream].next, connections[upstream].previous)
        if next >= 0 { connections[next].previous = previous }
        if previous >= 0 {
            connections[previous].next = next
        } else {
            upstreams.endpoints[endpoint].firstIdle = next
        }
        upstreams.endpoints[endpoint].idle &-= 1
        idleUpstreamCount &-= 1
        timers.clear(upstream)
    }

    // MARK: Failures

    /// An endpoint did not accept. Whether another attempt may follow; if not, the exchange was answered.
    mutating func tryElsewhere(_ exchange: Int32, _ endpoint: Int32) -> Bool {
        if mayTryAnother(exchange, endpoint) { return true }
        if retryLater(exchange) { return false }
        failExchange(exchange, status: 503, .connectFailed)
        return false
    }

    /// Notes that an endpoint did not accept. Whether another one may be tried at once.
    mutating func mayTryAnother(_ exchange: Int32, _ endpoint: Int32) -> Bool {
        telemetry.count(.upstreamConnectFailures)
        if !upstreams.endpoints[endpoint].isPassedOver { telemetry.count(.endpointsPassedOver) }
        upstreams.noteFailure(endpoint, now: now)
        exchanges[exchange].endpoint = endpoint
        exchanges[exchange].connectAttempts &+= 1
        let count = upstreams.clusters[exchanges[exchange].cluster].count
        let allowed = min(Int32(options.limits.connectAttempts), count)
        return Int32(exchanges[exchange].connectAttempts) < allowed
    }

    /// The connection could not be made, within its time or at all.
    mutating func connectFailed(_ upstream: Int32) {
        let exchange = connections[upstream].exchange
        let endpoint = connections[upstream].endpoint
        upstreams.endpoints[endpoint].active += 1
        closeUpstream(upstream)
        let mayTry = tryElsewhere(exchange, endpoint)
        upstreams.endpoints[endpoint].active -= 1
        upstreams.release(endpoint)
        if mayTry { startLater(exchange) }
    }

    /// An upstream has closed, or failed, before the first byte of its response.
    mutating func upstreamLost(_ upstream: Int32) {
        let exchange = connections[upstream].exchange
        // A pooled connection may have been closed while nobody used it. Else the endpoint is in doubt.
        let wasStale = connections[upstream].flags.contains(.reused) && exchanges[exchange].staleAttempts == 0
        let mayRepeat = exchanges[exchange].staleAttempts < 2 && isRepeatable(exchange, upstream)
        closeUpstream(upstream)
        if mayRepeat {
            telemetry.count(.staleRetries)
            exchanges[exchange].staleAttempts += 1
            exchanges[exchange].flags.insert(.wantsFresh)
            if wasStale { exchanges[exchange].endpoint = -1 }
            rewind(exchange)
            startLater(exchange)
        } else if !retryLater(exchange) {
            failExchange(exchange, status: 502, .upstreamReset)
        }
    }

    /// Whether the request can be sent again, and may be: its method allows it, or nothing of it was taken.
    private func isRepeatable(_ exchange: Int32, _ upstream: Int32) -> Bool {
        let slot = exchanges[exchange].downstream
        guard connections[slot].kept >= 0, !exchanges[exchange].flags.contains(.clientSawBytes) else {
            return false
        }
        if exchanges[exchange].flags.contains(.isIdempotent) { return true }
        let sent = Int64(connections[slot].start - connections[slot].kept)
        let before = connections[upstream].sent - sent
        return Int64(Streams.acknowledged(connections[upstream].descriptor)) <= before
    }

    /// The next attempt sends the request from its beginning.
    mutating func rewind(_ exchange: Int32) {
        let slot = exchanges[exchange].downstream
        if connections[slot].kept >= 0 { connections[slot].start = connections[slot].kept }
    }

    /// Another attempt by the route's policy, after a pause. Whether there will be one.
    mutating func retryLater(_ exchange: Int32) -> Bool {
        let slot = exchanges[exchange].downstream
        guard exchanges[exchange].retriesLeft > 0, connections[slot].kept >= 0,
            !exchanges[exchange].flags.contains(.clientSawBytes),
            exchanges[exchange].flags.contains(.isIdempotent)
                || connections[slot].start == connections[slot].kept,
            let policy = retryPolicy(exchange)
        else { return false }
        telemetry.count(.retries)
        exchanges[exchange].retriesLeft -= 1
        exchanges[exchange].connectAttempts = 0
        exchanges[exchange].backendDeadline = 0
        rewind(exchange)
        exchanges[exchange].phase = .backoff
        let doublings = min(10, UInt32(exchanges[exchange].record.attempts) &- 1)
        let pause = UInt32(clamping: UInt64(max(1, policy.backoff)) << UInt64(doublings))
        let jitter = upstreams.random.next(below: pause / 2 + 1)
        exchanges[exchange].wakeTime = now + (Int64(pause) + Int64(jitter)) * 1000
        armDeadline(exchange)
        return true
    }

    func retryPolicy(_ exchange: Int32) -> RetryPolicy? {
        guard exchanges[exchange].route >= 0 else { return nil }
        let routes = configurations[exchanges[exchange].snapshot].tables[Int(exchanges[exchange].table)]
        return routes.routes[Int(exchanges[exchange].route)].retry
    }

    /// The attempt took too long: another one if the policy has one, else 504.
    mutating func backendTimedOut(_ exchange: Int32) {
        if !exchanges[exchange].flags.contains(.clientSawBytes) {
            detachUpstream(exchange)
            if retryLater(exchange) { return }
        }
        timeOut(exchange, .backendTimeout)
    }

    // MARK: Waiting for a connection

    private mutating func wait(_ exchange: Int32) {
        let cluster = exchanges[exchange].cluster
        guard upstreams.clusters[cluster].waiting < upstreams.clusters[cluster].maximumWaiting else {
            return endWaiting(exchange)
        }
        telemetry.count(.pendingRequests)
        exchanges[exchange].phase = .waiting
        exchanges[exchange].wakeTime = now + options.timeouts.pending * 1000
        exchanges[exchange].next = -1
        exchanges[exchange].previous = upstreams.clusters[cluster].lastWaiting
        let last = upstreams.clusters[cluster].lastWaiting
        if last >= 0 {
            exchanges[last].next = exchange
        } else {
            upstreams.clusters[cluster].firstWaiting = exchange
        }
        upstreams.clusters[cluster].lastWaiting = exchange
        upstreams.clusters[cluster].waiting += 1
        armDeadline(exchange)
    }

    /// Until one is free, or this cluster has a connection to spare.
    mutating func waitForDescriptor(_ exchange: Int32) {
        noteShort(exchanges[exchange].cluster)
        wait(exchange)
    }

    /// Too many wait, or it has waited for too long.
    mutating func endWaiting(_ exchange: Int32) {
        telemetry.count(.pendingOverflow)
        if exchanges[exchange].record.isPassthrough { return endStream(exchange, .overflow) }
        failExchange(exchange, status: 503, .overflow)
    }

    mutating func stopWaiting(_ exchange: Int32) {
        let cluster = exchanges[exchange].cluster
        telemetry.count(.pendingRequests, -1)
        let (next, previous) = (exchanges[exchange].next, exchanges[exchange].previous)
        if next >= 0 {
            exchanges[next].previous = previous
        } else {
            upstreams.clusters[cluster].lastWaiting = previous
        }
        if previous >= 0 {
            exchanges[previous].next = next
        } else {
            upstreams.clusters[cluster].firstWaiting = next
        }
        upstreams.clusters[cluster].waiting -= 1
        exchanges[exchange].phase = .forwarding
        exchanges[exchange].wakeTime = 0
    }

    /// At the end of this turn those that wait are looked at.
    mutating func noteDue(_ cluster: Int32) {
        guard !upstreams.clusters[cluster].isDue else { return }
        upstreams.clusters[cluster].isDue = true
        dueClusters.append(cluster)
    }

    /// First come, first served, as far as connections go.
    mutating func serveWaiting(_ cluster: Int32) {
        upstreams.clusters[cluster].isDue = false
        while upstreams.clusters[cluster].firstWaiting >= 0 {
            let isGone = !upstreams.hasCluster(cluster)
            let state = upstreams.clusters[cluster]
            if !isGone, !hasPooled(cluster) {
                guard state.connections < state.maximumConnections else { return }
                guard !isShort || !spares.isEmpty else { return noteShort(cluster) }
            }
            let exchange = upstreams.clusters[cluster].firstWaiting
            stopWaiting(exchange)
            startLater(exchange)
        }
    }

    mutating func serveDueClusters() {
        while let cluster = dueClusters.popLast() { serveWaiting(cluster) }
    }

    private func hasPooled(_ cluster: Int32) -> Bool {
        upstreams.members(of: cluster).contains { upstreams.endpoints[$0].firstIdle >= 0 }
    }
}
