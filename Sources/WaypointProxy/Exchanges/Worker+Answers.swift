// Answers of our own: errors, redirects, fixed responses.
internal import KmeshKit

extension Worker {
    /// Ends the exchange with an error: answered, or, within a response, by closing the connection.
    mutating func failExchange(_ exchange: Int32, status: UInt16, _ reason: ExchangeReason) {
        let isWithin =
            exchanges[exchange].phase == .responding || exchanges[exchange].flags.contains(.withinInterim)
        guard !isWithin else { return truncate(exchange, reason) }
        detachUpstream(exchange)
        if exchanges[exchange].phase == .waiting { stopWaiting(exchange) }
        exchanges[exchange].record.reason = reason
        answer(exchange, status: status)
    }

    /// The route itself is the answer.
    mutating func answerRoute(_ exchange: Int32, status: UInt16) {
        exchanges[exchange].record.reason = .answered
        answer(exchange, status: status)
    }

    /// A request that could not be read: its connection ends with the answer.
    mutating func refuseRequest(_ slot: Int32, status: UInt16, _ reason: ExchangeReason) {
        let exchange = takeExchange(slot)
        guard exchange >= 0 else { return closeDownstream(slot) }
        connections[slot].phase = .complete
        exchanges[exchange].record.reason = reason
        answer(exchange, status: status)
    }

    /// The response ends within its body: the client must see that something is missing.
    mutating func truncate(_ exchange: Int32, _ reason: ExchangeReason) {
        if exchanges[exchange].responseFraming == .untilClose || exchanges[exchange].flags.contains(.dechunks)
        {
            // A clean end would look like the response's.
            Streams.resetOnClose(connections[exchanges[exchange].downstream].descriptor)
        }
        abandon(exchange, reason)
    }

    private mutating func answer(_ exchange: Int32, status: UInt16) {
        prepareAnswer(exchange)
        writeAnswer(exchange, status: status)
        sendAnswer(exchange, status: status)
    }

    mutating func redirect(
        _ exchange: Int32, _ slot: Int32, _ head: RequestHead, by redirect: RedirectAction
    ) {
        let range = Int(connections[slot].start)..<Int(connections[slot].ready)
        prepareAnswer(exchange)
        exchanges[exchange].record.reason = .answered
        writeRedirection(exchange, slot, head, redirect, range)
        guard !writer.hasOverflowed else {
            writeAnswer(exchange, status: 500)
            return sendAnswer(exchange, status: 500)
        }
        sendAnswer(exchange, status: redirect.status)
    }

    /// What is left of the request: an answer keeps its connection only when all of it is there.
    private mutating func prepareAnswer(_ exchange: Int32) {
        let slot = exchanges[exchange].downstream
        exchanges[exchange].phase = .answering
        exchanges[exchange].idleDeadline = now + options.timeouts.exchangeIdle * 1000
        // They were for the upstream; the client has its own time to take the answer.
        exchanges[exchange].requestDeadline = 0
        exchanges[exchange].backendDeadline = 0
        exchanges[exchange].wakeTime = 0
        guard connections[slot].phase == .body, connections[slot].buffer >= 0 else { return }
        let body = connections[slot].ready
        if case .complete = frameRequest(exchange, slot) { completeRequest(exchange, slot) }
        exchanges[exchange].record.bytesReceived += Int64(connections[slot].ready - body)
    }

    func keepsClient(_ exchange: Int32) -> Bool {
        exchanges[exchange].flags.isSuperset(of: [.requestComplete, .clientKeepsAlive]) && !isDraining
    }

    /// Sends what the writer holds.
    private mutating func sendAnswer(_ exchange: Int32, status: UInt16) {
        let slot = exchanges[exchange].downstream
        exchanges[exchange].record.status = status
        if !keepsClient(exchange) { exchanges[exchange].flags.remove(.clientKeepsAlive) }
        let count = Streams.send(connections[slot].descriptor, from: writer.chunk, 0..<writer.count)
        if count == writer.count { return finishExchange(exchange) }
        guard count >= 0 || count == Streams.again else { return abandon(exchange, .clientClosed) }
        let buffer = writer.count > Int(BufferPool.smallCapacity) ? buffers.takeLarge() : buffers.take()
        guard buffer >= 0 else { return abandon(exchange, .overflow) }
        writer.read { bytes in buffers[buffer].write(bytes, at: 0) }
        exchanges[exchange].output = buffer
        exchanges[exchange].outputStart = Int32(max(0, count))
        exchanges[exchange].outputEnd = Int32(writer.count)
        armDeadline(exchange)
    }

    /// The client takes more of an answer.
    mutating func continueAnswer(_ exchange: Int32) {
        let slot = exchanges[exchange].downstream
        let range = Int(exchanges[exchange].outputStart)..<Int(exchanges[exchange].outputEnd)
        let chunk = exchanges[exchange].output
        let count = Streams.send(connections[slot].descriptor, from: buffers[chunk], range)
        guard count >= 0 else {
            if count != Streams.again { abandon(exchange, .clientClosed) }
            return
        }
        exchanges[exchange].outputStart += Int32(count)
        noteProgress(exchange)
        guard exchanges[exchange].outputStart == exchanges[exchange].outputEnd else { return }
        buffers.give(chunk)
        exchanges[exchange].output = -1
        finishExchange(exchange)
    }
}
