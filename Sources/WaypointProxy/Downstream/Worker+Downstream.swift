// Connections of clients: reading requests, and what happens between them.
internal import KmeshKit

extension Worker {
    /// Something has happened to a client's connection.
    @inline(__always)
    mutating func handleDownstream(_ slot: Int32, _ events: StreamEvents) {
        if !events.isDisjoint(with: [.error, .hangUp]) { return downstreamGone(slot) }
        let generation = connections[slot].generation
        if events.contains(.output), connections[slot].exchange >= 0 {
            resumeSending(slot)
            guard connections[slot].generation == generation else { return }
        }
        guard !events.isDisjoint(with: [.input, .peerClosed]) else { return }
        connections[slot].flags.insert(.readable)
        if events.contains(.peerClosed) { connections[slot].flags.insert(.peerClosed) }
        receiveDownstream(slot)
    }

    /// The client takes bytes again.
    @inline(__always)
    private mutating func resumeSending(_ slot: Int32) {
        let exchange = connections[slot].exchange
        if exchanges[exchange].output >= 0 { return continueAnswer(exchange) }
        let upstream = exchanges[exchange].upstream
        if upstream >= 0, connections[upstream].start < connections[upstream].ready {
            pumpResponse(upstream)
        }
    }

    /// Reads as long as bytes are there and somebody wants them.
    mutating func receiveDownstream(_ slot: Int32) {
        let generation = connections[slot].generation
        while connections[slot].flags.contains(.readable), wantsInput(slot) {
            if connections[slot].buffer < 0 {
                guard takeBuffer(slot, large: expectsLargeBody(slot)) else { return downstreamGone(slot) }
            }
            var space = room(slot)
            if space == 0 {
                guard makeRoom(slot) else { return }
                space = room(slot)
            }
            // The rest is for what a head grows by.
            if connections[slot].phase == .head { space = min(space, Int(BufferPool.small)) }
            let end = Int(connections[slot].end)
            let chunk = connections[slot].buffer
            let count = Streams.receive(
                connections[slot].descriptor, into: buffers[chunk], end..<(end &+ space))
            if count <= 0 {
                connections[slot].flags.remove(.readable)
                if count == 0 { return downstreamEnded(slot) }
                if count == Streams.again { return dropEmptyBuffer(slot) }
                return downstreamGone(slot)
            }
            connections[slot].end &+= Int32(truncatingIfNeeded: count)
            // Fewer than there was room for: nothing is left, unless the end is still to be read.
            if count < space, !connections[slot].flags.contains(.peerClosed) {
                connections[slot].flags.remove(.readable)
            }
            advanceDownstream(slot)
            // The bytes of a stream are not for us.
            guard connections[slot].generation == generation, connections[slot].kind == .downstream,
                !yields(slot)
            else { return }
        }
    }

    /// Whether the others come first. A client whose requests are answered at once, or that sends on after
    /// its last answer, could keep the worker to itself.
    @inline(__always)
    private mutating func yields(_ slot: Int32) -> Bool {
        guard connections[slot].flags.contains(.readable), connections[slot].exchange < 0,
            connections[slot].phase == .head || connections[slot].phase == .lingering
        else { return false }
        noteDue(connection: slot)
        return true
    }

    /// At the end of this turn, or of the next one, it goes on.
    mutating func noteDue(connection slot: Int32) {
        guard !connections[slot].flags.contains(.isDue) else { return }
        connections[slot].flags.insert(.isDue)
        dueConnections.append(EventToken(slot: slot, generation: connections[slot].generation))
    }

    @inline(__always)
    private func wantsInput(_ slot: Int32) -> Bool {
        switch connections[slot].phase {
        case .head, .body, .metadata, .sniffing, .lingering: true
        default: false
        }
    }

    private func expectsLargeBody(_ slot: Int32) -> Bool {
        let exchange = connections[slot].exchange
        return exchange >= 0 && exchanges[exchange].requestRemaining > Int64(BufferPool.small)
    }

    /// The buffer is full. Whether there is room now; if not, bytes wait in the kernel until some were sent
    /// on.
    private mutating func makeRoom(_ slot: Int32) -> Bool {
        switch connections[slot].phase {
        case .body:
            // A body that fills a buffer is not kept for another attempt.
            giveUpReplay(slot)
            if connections[slot].start == connections[slot].end {
                dropBuffer(slot)
                return takeBuffer(slot, large: true)
            }
            compact(slot)
            return room(slot) > 0
        case .lingering:
            dropBuffer(slot)
            return takeBuffer(slot)
        default:
            compact(slot)
            return room(slot) > 0 || enlarge(slot)
        }
    }

    /// Goes on with the bytes that have come, as far as they go.
    mutating func advanceDownstream(_ slot: Int32) {
        let generation = connections[slot].generation
        while true {
            switch connections[slot].phase {
            case .head:
                guard connections[slot].start < connections[slot].end else { return dropEmptyBuffer(slot) }
                guard readRequest(slot) else { return }
                guard connections[slot].generation == generation else { return }
            case .body:
                return advanceBody(slot)
            case .lingering:
                connections[slot].start = connections[slot].end
                return dropBuffer(slot)
            case .metadata, .sniffing:
                guard advanceProtocol(slot) else { return }
                guard connections[slot].generation == generation, connections[slot].kind == .downstream
                else { return }
            default:
                return
            }
        }
    }

    /// The client sends nothing more.
    private mutating func downstreamEnded(_ slot: Int32) {
        connections[slot].flags.insert(.ended)
        switch connections[slot].phase {
        case .complete:
            // Its request is complete: it may well wait for the answer.
            return
        case .sniffing where connections[slot].start < connections[slot].end:
            // Too few bytes for HTTP, and all that there will be.
            return beginStream(slot)
        case .body:
            let exchange = connections[slot].exchange
            return abandon(exchange, .clientClosed)
        default:
            closeDownstream(slot)
        }
    }

    /// The client's connection failed, or both of its directions are closed.
    mutating func downstreamGone(_ slot: Int32) {
        let exchange = connections[slot].exchange
        guard exchange >= 0 else { return closeDownstream(slot) }
        abandon(exchange, .clientClosed)
    }

    /// After an exchange the next request may have come already; after a turn there may be more to read.
    mutating func continueDownstream(_ slot: Int32) {
        if connections[slot].phase == .lingering, connections[slot].flags.contains(.readable) {
            return receiveDownstream(slot)
        }
        guard connections[slot].phase == .head, connections[slot].exchange < 0 else { return }
        let generation = connections[slot].generation
        advanceDownstream(slot)
        guard connections[slot].generation == generation, connections[slot].kind == .downstream else {
            return
        }
        if connections[slot].exchange < 0, connections[slot].flags.contains(.ended) {
            return closeDownstream(slot)
        }
        if isDraining, isIdle(slot) { closeSoon(slot) }
        if connections[slot].flags.contains(.readable) { receiveDownstream(slot) }
    }

    /// Between two requests, with nothing of the next one.
    func isIdle(_ slot: Int32) -> Bool {
        connections[slot].phase == .head && connections[slot].exchange < 0
            && connections[slot].start == connections[slot].end
    }

    /// A client that was told that its connection stays may be sending on it: closed now, that request would
    /// be lost. It is answered as the connection's last one.
    mutating func closeSoon(_ slot: Int32) {
        timers.set(slot, now &+ options.timeouts.drainGrace &* 1000)
    }

    mutating func closeDownstream(_ slot: Int32) {
        downstreamCount -= 1
        give(slot)
    }

    /// Ends the connection so that the client can read what it was sent: closing it at once, with bytes of
    /// the client unread, would reset it.
    mutating func linger(_ slot: Int32) {
        if connections[slot].flags.contains(.ended) { return closeDownstream(slot) }
        Streams.finishSending(connections[slot].descriptor)
        dropBuffer(slot)
        connections[slot].phase = .lingering
        connections[slot].exchange = -1
        timers.set(slot, now + options.timeouts.linger * 1000)
    }

    mutating func downstreamExpired(_ slot: Int32) {
        switch connections[slot].phase {
        case .head where connections[slot].began == 0:
            telemetry.count(.idleTimeouts)
            closeDownstream(slot)
        case .head:
            telemetry.count(.headTimeouts)
            refuseRequest(slot, status: 408, .clientTimeout)
        case .metadata where connections[slot].flags.contains(.recordsFollow):
            announcedRecordsExpired(slot)
        case .metadata:
            telemetry.count(.metadataMissing)
            closeDownstream(slot)
        case .sniffing:
            telemetry.count(.detectionTimeouts)
            beginStream(slot)
        case .lingering:
            closeDownstream(slot)
        default:
            break
        }
    }

    /// What looked like the announced records does not go on: it is the client's. Without a byte, the
    /// connection was idle for too long.
    private mutating func announcedRecordsExpired(_ slot: Int32) {
        guard connections[slot].start < connections[slot].end else {
            telemetry.count(.idleTimeouts)
            return closeDownstream(slot)
        }
        connections[slot].flags.remove(.recordsFollow)
        connections[slot].phase = .head
        advanceDownstream(slot)
    }
}
