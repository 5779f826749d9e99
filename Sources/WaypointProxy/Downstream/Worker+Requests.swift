// Heads and bodies of requests.
internal import KmeshKit

extension Worker {
    /// Reads the head that the connection's bytes begin with. Whether it was whole, and something was done about
    /// it; else more bytes are needed, or the connection is about to close.
    mutating func readRequest(_ slot: Int32) -> Bool {
        let (start, end) = (Int(connections[slot].start), Int(connections[slot].end))
        let buffer = connections[slot].buffer
        if connections[slot].began == 0 {
            connections[slot].began = now
        } else if !headIsWhole(slot) {
            return false
        }
        var head = RequestHead()
        let limits = headLimits
        let verdict = buffers[buffer].read(start..<end) { bytes in
            parseRequestHead(bytes, limits: limits, into: &head, fields: fields)
        }
        switch verdict {
        case .complete:
            beginExchange(slot, head)
            return true
        case .incomplete:
            connections[slot].scanned = Int32(end - start)
            timers.set(slot, connections[slot].began + options.timeouts.requestHead * 1000)
            return false
        case .refused(let refusal):
            telemetry.count(refusal)
            refuseRequest(slot, status: refusal.status, .badRequest)
            return false
        }
    }

    /// Of a head that was not whole before. Only the bytes that have come since are looked through, so that a
    /// sender of single bytes costs no more than others.
    func headIsWhole(_ slot: Int32) -> Bool {
        let (start, end) = (Int(connections[slot].ready), Int(connections[slot].end))
        let searched = max(0, Int(connections[slot].scanned) - 3)
        let found = buffers[connections[slot].buffer].read(start..<end) { bytes in
            findHeadEnd(bytes, from: searched) != nil
        }
        connections[slot].scanned = Int32(end - start)
        return found || end - start >= headLimits.head
    }

    /// Takes what has come of a body, and sends it on.
    mutating func advanceBody(_ slot: Int32) {
        let exchange = connections[slot].exchange
        let before = connections[slot].ready
        switch frameRequest(exchange, slot) {
        case .more: break
        case .complete: completeRequest(exchange, slot)
        case .refused(let refusal):
            telemetry.count(refusal)
            return failExchange(exchange, status: refusal.status, .badRequest)
        }
        exchanges[exchange].record.bytesReceived += Int64(connections[slot].ready - before)
        noteProgress(exchange)
        sendRequest(exchange)
    }

    /// The whole request has come: nothing more is read before its response is over.
    @inline(__always)
    mutating func completeRequest(_ exchange: Int32, _ slot: Int32) {
        exchanges[exchange].flags.insert(.requestComplete)
        connections[slot].phase = .complete
    }

    /// How far a body's bytes have come.
    enum BodyProgress {
        case more, complete
        case refused(HTTPRefusal)

        init(_ verdict: ParseVerdict) {
            self =
                switch verdict {
                case .incomplete: .more
                case .complete: .complete
                case .refused(let refusal): .refused(refusal)
                }
        }
    }

    /// Moves `ready` over the bytes that belong to the body.
    @inline(__always)
    mutating func frameRequest(_ exchange: Int32, _ slot: Int32) -> BodyProgress {
        switch exchanges[exchange].requestFraming {
        case .none, .untilClose: return .complete
        case .length:
            let available = Int64(connections[slot].end &- connections[slot].ready)
            let taken = min(available, exchanges[exchange].requestRemaining)
            connections[slot].ready &+= Int32(truncatingIfNeeded: taken)
            exchanges[exchange].requestRemaining &-= taken
            return exchanges[exchange].requestRemaining == 0 ? .complete : .more
        case .chunked:
            let progress = frameChunks(slot, &exchanges[exchange].requestChunks)
            let limit = options.limits.body
            if limit > 0, exchanges[exchange].record.bytesReceived > limit { return .refused(.bodyTooLarge) }
            return progress
        }
    }

    func frameChunks(_ slot: Int32, _ decoder: inout ChunkedDecoder) -> BodyProgress {
        let (ready, end) = (Int(connections[slot].ready), Int(connections[slot].end))
        guard ready < end else { return .more }
        let progress = buffers[connections[slot].buffer].read(ready..<end) { bytes in
            decoder.advance(bytes)
        }
        connections[slot].ready += Int32(progress.consumed)
        return BodyProgress(progress.verdict)
    }

    /// The request will not be sent again: its bytes may go once they were sent.
    @inline(__always)
    mutating func giveUpReplay(_ slot: Int32) { connections[slot].kept = -1 }
}
