// The life of an exchange: from a request's head to its record.
internal import KmeshKit

extension Worker {
    /// A request's head has come: finds out where it goes, and sends it there.
    mutating func beginExchange(_ slot: Int32, _ head: RequestHead) {
        let exchange = takeExchange(slot)
        guard exchange >= 0 else { return closeDownstream(slot) }
        exchanges[exchange].requestFraming = head.framing
        exchanges[exchange].requestRemaining = head.contentLength
        var flags = ExchangeFlags()
        if head.isHead { flags.insert(.isHead) }
        if head.isIdempotent { flags.insert(.isIdempotent) }
        if head.minorVersion == 0 { flags.insert(.isOld) }
        if head.keepsAlive { flags.insert(.clientKeepsAlive) }
        if head.asksUpgrade { flags.insert(.asksUpgrade) }
        exchanges[exchange].flags = flags
        // The head's bytes are `start` to `ready` until the edited head takes their place.
        connections[slot].ready = connections[slot].start + head.count
        connections[slot].phase = .body
        if accessLog.isOn { exchanges[exchange].log = beginLog(slot, head) }
        let limit = options.limits.body
        if limit > 0, head.framing == .length, head.contentLength > limit {
            telemetry.count(.bodyTooLarge)
            return failExchange(exchange, status: 413, .badRequest)
        }
        switch resolve(slot) {
        case .table(let table): follow(exchange, slot, head, table)
        case .cluster(let cluster):
            if configurations.isProtected, refuses(exchange, slot, head, host: -1) { return }
            forward(exchange, slot, head, to: cluster)
        case .nowhere(let reason): failExchange(exchange, status: reason == .noRoute ? 404 : 503, reason)
        }
    }

    /// A record for a request of this connection; -1 when there is none.
    mutating func takeExchange(_ slot: Int32) -> Int32 {
        let exchange = exchangeSlots.take(exchanges)
        guard exchange >= 0 else { return -1 }
        exchanges[exchange] = Exchange()
        exchanges[exchange].downstream = slot
        exchanges[exchange].snapshot = configurations.use()
        exchanges[exchange].record.start = connections[slot].began
        connections[slot].exchange = exchange
        connections[slot].began = 0
        connections[slot].scanned = 0
        timers.clear(slot)
        return exchange
    }

    /// Goes by a route table.
    private mutating func follow(_ exchange: Int32, _ slot: Int32, _ head: RequestHead, _ table: Int32) {
        let configuration = configurations[exchanges[exchange].snapshot]
        let routes = configuration.tables[Int(table)]
        let range = Int(connections[slot].start)..<Int(connections[slot].ready)
        let host = buffers[connections[slot].buffer].read(range) { bytes in
            routes.host(of: head, in: bytes)
        }
        if configurations.isProtected, refuses(exchange, slot, head, host: host) { return }
        let number = buffers[connections[slot].buffer].read(range) { bytes in
            routes.route(host, head, fields, in: bytes)
        }
        guard number >= 0 else { return failExchange(exchange, status: 404, .noRoute) }
        exchanges[exchange].table = table
        exchanges[exchange].route = number
        exchanges[exchange].record.route = routes.routes[Int(number)].statistic
        switch routes.routes[Int(number)].action {
        case .forward: forward(exchange, slot, head, by: routes, number)
        case .redirect(let redirect): self.redirect(exchange, slot, head, by: redirect)
        case .respond(let status): answerRoute(exchange, status: status)
        }
    }

    /// Chooses a backend of the route.
    private mutating func forward(
        _ exchange: Int32, _ slot: Int32, _ head: RequestHead, by routes: RouteTable, _ number: Int32
    ) {
        let place = Int(number)
        let total = routes.routes[place].totalWeight
        guard total > 0 else { return answerRoute(exchange, status: 500) }
        var backend = 0
        if routes.routes[place].backends.count > 1 {
            let point = upstreams.random.next(below: total)
            while routes.routes[place].backends[backend].upTo <= point { backend += 1 }
        }
        exchanges[exchange].backend = Int32(backend)
        if let redirect = routes.routes[place].backends[backend].redirect {
            return self.redirect(exchange, slot, head, by: redirect)
        }
        let cluster = routes.routes[place].backends[backend].cluster
        guard cluster >= 0 else { return failExchange(exchange, status: 500, .noCluster) }
        if routes.routes[place].backends[backend].editsRequests {
            exchanges[exchange].flags.insert(.hasRequestEdits)
        }
        if routes.routes[place].backends[backend].editsResponses {
            exchanges[exchange].flags.insert(.hasResponseEdits)
        }
        exchanges[exchange].backendTimeout = routes.routes[place].backendTimeout
        setDeadlines(exchange, routes.routes[place].requestTimeout, routes.routes[place].retry)
        forward(exchange, slot, head, to: cluster)
    }

    private mutating func setDeadlines(_ exchange: Int32, _ requestTimeout: UInt32, _ retry: RetryPolicy?) {
        if requestTimeout > 0 {
            exchanges[exchange].requestDeadline =
                exchanges[exchange].record.start + Int64(requestTimeout) * 1000
        }
        if let retry { exchanges[exchange].retriesLeft = UInt8(clamping: retry.attempts) }
    }

    /// Edits the head and makes the first attempt.
    private mutating func forward(_ exchange: Int32, _ slot: Int32, _ head: RequestHead, to cluster: Int32) {
        exchanges[exchange].cluster = cluster
        exchanges[exchange].record.cluster = cluster
        guard upstreams.hasCluster(cluster) else {
            return failExchange(exchange, status: 503, .noCluster)
        }
        guard editRequest(exchange, slot, head) else {
            telemetry.count(.headTooLarge)
            return failExchange(exchange, status: 431, .badRequest)
        }
        connections[slot].kept = connections[slot].start
        let body = connections[slot].ready
        switch frameRequest(exchange, slot) {
        case .more: break
        case .complete: completeRequest(exchange, slot)
        case .refused(let refusal):
            telemetry.count(refusal)
            return failExchange(exchange, status: refusal.status, .badRequest)
        }
        exchanges[exchange].record.bytesReceived = Int64(connections[slot].ready - body)
        exchanges[exchange].idleDeadline = now + options.timeouts.exchangeIdle * 1000
        startAttempt(exchange)
        if exchanges[exchange].downstream >= 0 { armDeadline(exchange) }
    }

    // MARK: The end

    /// The response is over, and the client has got all of it.
    mutating func finishExchange(_ exchange: Int32) {
        let slot = exchanges[exchange].downstream
        let flags = exchanges[exchange].flags
        let isComplete = flags.contains(.requestComplete)
        let upstream = exchanges[exchange].upstream
        if upstream >= 0 {
            // An answer that came before the whole request was sent leaves the upstream waiting for the rest.
            let keeps = isComplete && flags.contains(.upstreamKeepsAlive) && !hasRequestBytes(exchange)
            if keeps { poolUpstream(upstream) } else { closeUpstream(upstream) }
        }
        // An answer may come before the request was sent on.
        connections[slot].kept = -1
        connections[slot].start = connections[slot].ready
        endExchange(exchange)
        guard isComplete, flags.contains(.clientKeepsAlive) else {
            let isQuiet = connections[slot].start == connections[slot].end
            // Nothing is left that a reset could overtake.
            if isComplete, isQuiet, !connections[slot].flags.contains(.readable) {
                return closeDownstream(slot)
            }
            return linger(slot)
        }
        connections[slot].phase = .head
        timers.set(slot, now &+ options.timeouts.downstreamIdle &* 1000)
        let isQuiet = connections[slot].flags.isDisjoint(with: [.readable, .ended])
        if isQuiet, connections[slot].start == connections[slot].end {
            dropBuffer(slot)
            if isDraining { closeSoon(slot) }
        } else {
            // The next request may have come already.
            noteDue(connection: slot)
        }
    }

    /// Ends without a response, or within one: the client sees its connection close.
    mutating func abandon(_ exchange: Int32, _ reason: ExchangeReason) {
        let slot = exchanges[exchange].downstream
        exchanges[exchange].record.reason = reason
        detachUpstream(exchange)
        endExchange(exchange)
        closeDownstream(slot)
    }

    /// Records what is known, and frees the record.
    mutating func endExchange(_ exchange: Int32) {
        if exchanges[exchange].phase == .waiting { stopWaiting(exchange) }
        exchanges[exchange].record.duration = now - exchanges[exchange].record.start
        telemetry.record(exchanges[exchange].record)
        if exchanges[exchange].log >= 0 { finishLog(exchange) }
        if exchanges[exchange].output >= 0 { buffers.give(exchanges[exchange].output) }
        connections[exchanges[exchange].downstream].exchange = -1
        configurations.release(exchanges[exchange].snapshot)
        timers.clear(connections.capacity + exchange)
        exchanges[exchange].downstream = -1
        exchangeSlots.give(exchange, exchanges)
    }

    // MARK: Deadlines

    /// Sets the exchange's timer to the earliest of its deadlines.
    mutating func armDeadline(_ exchange: Int32) {
        var earliest = exchanges[exchange].idleDeadline
        let (request, backend) = (exchanges[exchange].requestDeadline, exchanges[exchange].backendDeadline)
        if request > 0, request < earliest { earliest = request }
        if backend > 0, backend < earliest { earliest = backend }
        let wake = exchanges[exchange].wakeTime
        if wake > 0, wake < earliest { earliest = wake }
        timers.set(connections.capacity + exchange, earliest)
    }

    /// Bytes of a body have moved.
    @inline(__always)
    func noteProgress(_ exchange: Int32) {
        exchanges[exchange].idleDeadline = now &+ options.timeouts.exchangeIdle &* 1000
    }

    mutating func exchangeExpired(_ exchange: Int32) {
        guard exchanges[exchange].downstream >= 0 else { return }
        if isOver(exchanges[exchange].requestDeadline) {
            return timeOut(exchange, .requestTimeout)
        }
        if isOver(exchanges[exchange].wakeTime) {
            exchanges[exchange].wakeTime = 0
            if exchanges[exchange].phase == .waiting {
                telemetry.count(.pendingOverflow)
                return failExchange(exchange, status: 503, .overflow)
            }
            if exchanges[exchange].phase == .backoff { startLater(exchange) }
        } else if isOver(exchanges[exchange].backendDeadline) {
            return backendTimedOut(exchange)
        } else if isOver(exchanges[exchange].idleDeadline) {
            return timeOut(exchange, .backendTimeout)
        }
        if exchanges[exchange].downstream >= 0 { armDeadline(exchange) }
    }

    private func isOver(_ deadline: Int64) -> Bool { deadline > 0 && deadline <= now }

    /// Answers 504, or ends a response that has begun.
    mutating func timeOut(_ exchange: Int32, _ reason: ExchangeReason) {
        // It has its answer, and does not take it.
        if exchanges[exchange].phase == .answering { return abandon(exchange, .clientTimeout) }
        let isClientsFault = reason == .backendTimeout && awaitsClient(exchange)
        if isClientsFault { return failExchange(exchange, status: 408, .clientTimeout) }
        failExchange(exchange, status: 504, reason)
    }

    /// Everything that the client has sent is on its way, and more must come.
    private func awaitsClient(_ exchange: Int32) -> Bool {
        let slot = exchanges[exchange].downstream
        return !exchanges[exchange].flags.contains(.requestComplete)
            && connections[slot].start == connections[slot].ready
    }
}
