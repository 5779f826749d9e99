// Heads of responses.
internal import KmeshKit

extension Worker {
    enum HeadProgress {
        case more, interim, body
        /// The exchange was answered, tried again or ended.
        case over
    }

    /// Reads the head that the upstream's bytes from `ready` on begin with.
    mutating func readResponse(_ exchange: Int32, _ slot: Int32) -> HeadProgress {
        let (start, end) = (Int(connections[slot].ready), Int(connections[slot].end))
        if connections[slot].scanned > 0, !headIsWhole(slot) { return .more }
        var head = ResponseHead()
        let isHead = exchanges[exchange].flags.contains(.isHead)
        let limits = headLimits
        let verdict = buffers[connections[slot].buffer].read(start..<end) { bytes in
            parseResponseHead(bytes, limits: limits, requestIsHead: isHead, into: &head, fields: fields)
        }
        switch verdict {
        case .incomplete:
            connections[slot].scanned = Int32(end - start)
            return .more
        case .refused(let refusal):
            telemetry.count(refusal)
            failExchange(exchange, status: 502, .badResponse)
            return .over
        case .complete:
            connections[slot].scanned = 0
            if head.isInterim { return takeInterim(exchange, slot, head) }
            return takeResponse(exchange, slot, head)
        }
    }

    /// 100 and its kind go to the client as they are, but for clients that do not know them.
    private mutating func takeInterim(_ exchange: Int32, _ slot: Int32, _ head: ResponseHead) -> HeadProgress
    {
        if exchanges[exchange].flags.contains(.isOld) {
            // Bytes before it have been sent: a response's head comes first.
            connections[slot].start += head.count
        }
        connections[slot].ready += head.count
        return .interim
    }

    private mutating func takeResponse(_ exchange: Int32, _ slot: Int32, _ head: ResponseHead) -> HeadProgress
    {
        exchanges[exchange].record.upstreamDuration = now - exchanges[exchange].attemptStart
        if exchanges[exchange].retriesLeft > 0, retriesInstead(exchange, slot, head) { return .over }
        let downstream = exchanges[exchange].downstream
        if head.status == 101 {
            guard exchanges[exchange].flags.contains(.asksUpgrade) else {
                failExchange(exchange, status: 502, .badResponse)
                return .over
            }
            exchanges[exchange].flags.insert(.upgraded)
        }
        exchanges[exchange].backendDeadline = 0
        exchanges[exchange].record.status = head.status
        exchanges[exchange].responseFraming = head.framing
        exchanges[exchange].responseRemaining = head.contentLength
        if head.keepsAlive { exchanges[exchange].flags.insert(.upstreamKeepsAlive) }
        // What was kept of the request has done its service.
        connections[downstream].kept = -1
        dropEmptyBuffer(downstream)
        decideClose(exchange, downstream, head)
        let isFirst = connections[slot].start == connections[slot].ready
        if !isFirst, !sendInterim(exchange, slot) { return .over }
        guard editResponse(exchange, slot, head) else {
            failExchange(exchange, status: 502, .badResponse)
            return .over
        }
        exchanges[exchange].phase = .responding
        connections[slot].phase = .body
        return .body
    }

    /// Interim responses go out before the head is edited, which takes their place. Whether the exchange
    /// goes on: a client that does not take these few bytes at once is given up.
    private mutating func sendInterim(_ exchange: Int32, _ slot: Int32) -> Bool {
        let client = connections[exchanges[exchange].downstream].descriptor
        while connections[slot].start < connections[slot].ready {
            let range = Int(connections[slot].start)..<Int(connections[slot].ready)
            let count = Streams.send(client, from: buffers[connections[slot].buffer], range)
            guard count > 0 else {
                abandon(exchange, .clientClosed)
                return false
            }
            connections[slot].start += Int32(truncatingIfNeeded: count)
        }
        return true
    }

    /// Whether the client's connection ends with this response, which its head then says.
    private mutating func decideClose(_ exchange: Int32, _ downstream: Int32, _ head: ResponseHead) {
        let flags = exchanges[exchange].flags
        if head.framing == .chunked, flags.contains(.isOld) { exchanges[exchange].flags.insert(.dechunks) }
        let endsByClose = head.framing == .untilClose || exchanges[exchange].flags.contains(.dechunks)
        if endsByClose || isDraining || !flags.contains(.requestComplete) {
            exchanges[exchange].flags.remove(.clientKeepsAlive)
        }
    }

    /// Whether the policy has another attempt for this response's status. What it says is thrown away then.
    private mutating func retriesInstead(_ exchange: Int32, _ slot: Int32, _ head: ResponseHead) -> Bool {
        guard let policy = retryPolicy(exchange), policy.codes.contains(head.status) else { return false }
        // The next attempt goes back to the request's beginning.
        let isSent = exchanges[exchange].flags.contains(.requestComplete) && !hasRequestBytes(exchange)
        guard retryLater(exchange) else { return false }
        // A response that is whole leaves its connection for others.
        let rest = Int64(connections[slot].end - connections[slot].ready - head.count)
        let isWhole =
            head.framing == .none && rest == 0 || head.framing == .length && rest == head.contentLength
        if isWhole, isSent, head.keepsAlive {
            connections[slot].start = connections[slot].end
            poolUpstream(slot)
        } else {
            closeUpstream(slot)
        }
        return true
    }
}
