// Connections to endpoints: requests going out, responses coming in.
internal import KmeshKit

extension Worker {
    /// Something has happened to a connection to an endpoint.
    @inline(__always)
    mutating func handleUpstream(_ slot: Int32, _ events: StreamEvents) {
        switch connections[slot].phase {
        case .idle: return checkPooled(slot, events)
        case .connecting:
            if !events.isDisjoint(with: [.error, .hangUp]) { return connectFailed(slot) }
            guard events.contains(.output) else { return }
            connected(slot)
        default: break
        }
        let generation = connections[slot].generation
        let exchange = connections[slot].exchange
        if events.contains(.output), hasRequestBytes(exchange) {
            sendRequest(exchange)
            guard connections[slot].generation == generation else { return }
            resumeReceiving(exchange)
            guard connections[slot].generation == generation else { return }
        }
        guard !events.isDisjoint(with: [.input, .peerClosed, .error, .hangUp]) else { return }
        connections[slot].flags.insert(.readable)
        // After a failure the bytes that came before it are read first.
        if !events.isDisjoint(with: [.peerClosed, .error, .hangUp]) {
            connections[slot].flags.insert(.peerClosed)
        }
        pumpResponse(slot)
    }

    /// Some that have come were not sent on yet.
    @inline(__always)
    func hasRequestBytes(_ exchange: Int32) -> Bool {
        let slot = exchanges[exchange].downstream
        return connections[slot].start < connections[slot].ready
    }

    /// The request's bytes moved on: there is room for more of them.
    mutating func resumeReceiving(_ exchange: Int32) {
        let slot = exchanges[exchange].downstream
        guard slot >= 0 else { return }
        if connections[slot].phase == .body, connections[slot].flags.contains(.readable) {
            receiveDownstream(slot)
        }
    }

    /// A pooled connection is closed by its server, or says something out of turn.
    private mutating func checkPooled(_ slot: Int32, _ events: StreamEvents) {
        guard !events.isDisjoint(with: [.input, .peerClosed, .error, .hangUp]) else { return }
        if events == [.input] || events == [.input, .output] {
            // The event may be of bytes that were read since.
            let count = Streams.peek(connections[slot].descriptor, into: scratch, 0..<1)
            if count == Streams.again { return }
        }
        closeUpstream(slot)
    }

    private mutating func connected(_ slot: Int32) {
        upstreams.noteSuccess(connections[slot].endpoint)
        connections[slot].phase = .response
        timers.clear(slot)
    }

    mutating func upstreamExpired(_ slot: Int32) {
        switch connections[slot].phase {
        case .connecting:
            telemetry.count(.upstreamConnectTimeouts)
            connectFailed(slot)
        case .idle:
            closeUpstream(slot)
        default:
            break
        }
    }

    // MARK: The request

    /// Sends what has come of the request, as far as the upstream takes it.
    @inline(__always)
    mutating func sendRequest(_ exchange: Int32) {
        let upstream = exchanges[exchange].upstream
        guard upstream >= 0, connections[upstream].phase != .connecting else { return }
        let slot = exchanges[exchange].downstream
        while connections[slot].start < connections[slot].ready {
            let range = Int(connections[slot].start)..<Int(connections[slot].ready)
            let chunk = connections[slot].buffer
            let count = Streams.send(connections[upstream].descriptor, from: buffers[chunk], range)
            guard count >= 0 else {
                // A response, or the reason, may be waiting to be read.
                if count != Streams.again { sendingFailed(upstream) }
                return
            }
            connections[slot].start &+= Int32(truncatingIfNeeded: count)
            connections[upstream].sent &+= Int64(count)
        }
        if connections[slot].kept >= 0, !needsReplay(exchange, upstream) { giveUpReplay(slot) }
        dropEmptyBuffer(slot)
    }

    /// Whether the request may have to be sent again, now that all of it that has come is sent.
    @inline(__always)
    private func needsReplay(_ exchange: Int32, _ upstream: Int32) -> Bool {
        connections[upstream].phase == .response && exchanges[exchange].staleAttempts < 2
            || exchanges[exchange].retriesLeft > 0
    }

    /// The upstream takes nothing more of the request. An answer that it sent before is still forwarded.
    private mutating func sendingFailed(_ upstream: Int32) {
        connections[upstream].flags.insert([.readable, .peerClosed])
        pumpResponse(upstream)
    }

    // MARK: The response

    /// Reads from the upstream and sends to the client until one of them has had enough.
    mutating func pumpResponse(_ slot: Int32) {
        let exchange = connections[slot].exchange
        for _ in 0..<Self.readsPerTurn {
            if connections[slot].start < connections[slot].ready {
                switch sendResponse(exchange, slot) {
                case .sent: break
                case .blocked: return
                case .failed: return abandon(exchange, .clientClosed)
                }
            }
            if connections[slot].phase == .complete { return endResponse(exchange, slot) }
            guard connections[slot].flags.contains(.readable) else { return dropEmptyBuffer(slot) }
            guard receiveResponse(exchange, slot) else { return }
        }
        noteDue(connection: slot)
    }

    /// How often one large response or stream is read before the others have their turn.
    static var readsPerTurn: Int { 16 }

    /// A response that gave way to the others goes on.
    mutating func continueResponse(_ slot: Int32) {
        guard connections[slot].exchange >= 0, connections[slot].phase != .connecting else { return }
        pumpResponse(slot)
    }

    enum SendResult {
        case sent, blocked, failed
    }

    @inline(__always)
    private mutating func sendResponse(_ exchange: Int32, _ slot: Int32) -> SendResult {
        let client = connections[exchanges[exchange].downstream].descriptor
        let chunk = connections[slot].buffer
        while connections[slot].start < connections[slot].ready {
            let range = Int(connections[slot].start)..<Int(connections[slot].ready)
            let count = Streams.send(client, from: buffers[chunk], range)
            guard count >= 0 else {
                if connections[slot].phase == .response {
                    exchanges[exchange].flags.insert([.clientSawBytes, .withinInterim])
                }
                return count == Streams.again ? .blocked : .failed
            }
            connections[slot].start &+= Int32(truncatingIfNeeded: count)
        }
        exchanges[exchange].flags.insert(.clientSawBytes)
        exchanges[exchange].flags.remove(.withinInterim)
        if connections[slot].start == connections[slot].end {
            // The next bytes begin at the front again.
            connections[slot].start = BufferPool.headroom
            connections[slot].ready = BufferPool.headroom
            connections[slot].end = BufferPool.headroom
        }
        noteProgress(exchange)
        return .sent
    }

    /// One read. Whether the response goes on: not when nothing was there, or everything came to an end.
    @inline(__always)
    private mutating func receiveResponse(_ exchange: Int32, _ slot: Int32) -> Bool {
        if connections[slot].buffer < 0 {
            let cluster = upstreams.endpoints[connections[slot].endpoint].cluster
            let large = upstreams.clusters[cluster].largeResponses > 0
            guard takeBuffer(slot, large: large) else {
                failExchange(exchange, status: 503, .overflow)
                return false
            }
        }
        var space = room(slot)
        if space == 0 {
            compact(slot)
            if room(slot) == 0, !enlarge(slot) { return false }
            space = room(slot)
        }
        if connections[slot].phase == .response, exchanges[exchange].flags.contains(.hasResponseEdits) {
            // The rest is for what the head grows by.
            space = min(space, Int(BufferPool.small))
        }
        let end = Int(connections[slot].end)
        let chunk = connections[slot].buffer
        let count = Streams.receive(connections[slot].descriptor, into: buffers[chunk], end..<(end &+ space))
        guard count > 0 else {
            if count == Streams.again {
                connections[slot].flags.remove(.readable)
                // After a failure there is nothing else to wait for.
                if !connections[slot].flags.contains(.peerClosed) {
                    dropEmptyBuffer(slot)
                    return false
                }
            }
            return upstreamEnded(exchange, slot, cleanly: count == 0)
        }
        connections[slot].end &+= Int32(truncatingIfNeeded: count)
        if count < space {
            if !connections[slot].flags.contains(.peerClosed) { connections[slot].flags.remove(.readable) }
        } else {
            noteLarge(slot)
        }
        return advanceResponse(exchange, slot)
    }

    /// A read filled its buffer: this and the next responses of the cluster get large ones.
    private mutating func noteLarge(_ slot: Int32) {
        let cluster = upstreams.endpoints[connections[slot].endpoint].cluster
        upstreams.clusters[cluster].largeResponses = 16
        if connections[slot].phase != .idle { _ = enlarge(slot) }
    }

    /// Goes on with the bytes that have come. Whether the exchange goes on.
    @inline(__always)
    private mutating func advanceResponse(_ exchange: Int32, _ slot: Int32) -> Bool {
        while connections[slot].phase == .response {
            guard connections[slot].ready < connections[slot].end else { return true }
            switch readResponse(exchange, slot) {
            case .more: return true
            case .interim: continue
            case .body: break
            case .over: return false
            }
        }
        let before = connections[slot].ready
        switch frameResponse(exchange, slot) {
        case .more: break
        case .complete: connections[slot].phase = .complete
        case .refused(let refusal):
            telemetry.count(refusal)
            truncate(exchange, .badResponse)
            return false
        }
        exchanges[exchange].record.bytesSent &+= Int64(connections[slot].ready &- before)
        return true
    }

    @inline(__always)
    private mutating func frameResponse(_ exchange: Int32, _ slot: Int32) -> BodyProgress {
        switch exchanges[exchange].responseFraming {
        case .none: return .complete
        case .untilClose:
            connections[slot].ready = connections[slot].end
            return .more
        case .length:
            let available = Int64(connections[slot].end &- connections[slot].ready)
            let taken = min(available, exchanges[exchange].responseRemaining)
            connections[slot].ready &+= Int32(truncatingIfNeeded: taken)
            exchanges[exchange].responseRemaining &-= taken
            return exchanges[exchange].responseRemaining == 0 ? .complete : .more
        case .chunked:
            if exchanges[exchange].flags.contains(.dechunks) { return dechunk(exchange, slot) }
            return frameChunks(slot, &exchanges[exchange].responseChunks)
        }
    }

    /// All bytes of the response are with the client.
    @inline(__always)
    private mutating func endResponse(_ exchange: Int32, _ slot: Int32) {
        if exchanges[exchange].flags.contains(.upgraded) { return beginUpgraded(exchange, slot) }
        let cluster = exchanges[exchange].cluster
        if upstreams.clusters[cluster].largeResponses > 0,
            exchanges[exchange].record.bytesSent < Int64(BufferPool.small)
        {
            upstreams.clusters[cluster].largeResponses -= 1
        }
        finishExchange(exchange)
    }

    /// The upstream has closed, or its connection failed. Whether the response goes on: it does when this
    /// is how it ends.
    private mutating func upstreamEnded(_ exchange: Int32, _ slot: Int32, cleanly: Bool) -> Bool {
        connections[slot].flags.remove(.readable)
        connections[slot].flags.insert(.ended)
        switch connections[slot].phase {
        case .response where connections[slot].start == connections[slot].end:
            upstreamLost(slot)
            return false
        case .response:
            failExchange(exchange, status: 502, .badResponse)
            return false
        default:
            if exchanges[exchange].responseFraming == .untilClose, cleanly {
                connections[slot].phase = .complete
                return true
            }
            truncate(exchange, .upstreamReset)
            return false
        }
    }
}
