// Heads as they are sent on, and answers of our own: what the worker knows, for the writers of HTTP.
internal import KmeshKit

extension Worker {
    /// Puts the head that goes upstream before the body's first bytes. Whether it fits.
    mutating func editRequest(_ exchange: Int32, _ slot: Int32, _ head: RequestHead) -> Bool {
        let range = Int(connections[slot].start)..<Int(connections[slot].ready)
        var editing = RequestEditing(
            client: connections[slot].peer.address, destination: hostAddress(slot, head), random: (0, 0),
            keepsUpgrade: head.asksUpgrade)
        if !head.present.contains(.requestID) {
            editing.random = (upstreams.random.next(), upstreams.random.next())
            if exchanges[exchange].log >= 0 { logRequestID(exchange, editing.random) }
        }
        writer.clear()
        if exchanges[exchange].flags.contains(.hasRequestEdits) {
            let table = configurations[exchanges[exchange].snapshot].tables[Int(exchanges[exchange].table)]
            writeRouted(
                head, fields, buffers, connections[slot].buffer, range, editing, table,
                Int(exchanges[exchange].route), Int(exchanges[exchange].backend), &writer)
        } else {
            writePlain(head, fields, buffers, connections[slot].buffer, range, editing, &writer)
        }
        guard !writer.hasOverflowed else { return false }
        return replaceHead(slot, count: head.count)
    }

    /// Of use only for a request of HTTP/1.0 without a host.
    private func hostAddress(_ slot: Int32, _ head: RequestHead) -> SocketAddress {
        let isNeeded = !head.present.contains(.host) && !head.isAbsolute
        return isNeeded ? dialedAddress(slot) : SocketAddress(IPAddress(high: 0, low: 0), 0)
    }

    /// Where the client connected to, as it sees it: what was conveyed, if something was.
    func dialedAddress(_ slot: Int32) -> SocketAddress {
        let flags = connections[slot].flags
        if flags.contains(.hasShortForm), findTarget(slot) {
            let short = UInt32(truncatingIfNeeded: destinations[slot].low)
            let target = connections[slot].target
            let address = configurations.latest.targets.address(ofShortForm: short, target: target)
            if let address { return address }
        } else if flags.contains(.hasDestination) {
            return destinations[slot].socketAddress
        }
        return Streams.localAddress(connections[slot].descriptor)?.socketAddress
            ?? SocketAddress(IPAddress(high: 0, low: 0), 80)
    }

    /// Puts the head that goes to the client before the body's first bytes. Whether it fits.
    mutating func editResponse(_ exchange: Int32, _ slot: Int32, _ head: ResponseHead) -> Bool {
        let start = Int(connections[slot].start)
        let range = start..<(start + Int(head.count))
        let flags = exchanges[exchange].flags
        var editing = ResponseEditing()
        editing.dropsChunks = flags.contains(.dechunks)
        editing.connection = connection(flags)
        if !flags.contains(.hasResponseEdits),
            isUntouched(head, editing, buffers, connections[slot].buffer, range)
        {
            connections[slot].ready = connections[slot].start + head.count
            return true
        }
        writer.clear()
        if flags.contains(.hasResponseEdits) {
            let table = configurations[exchanges[exchange].snapshot].tables[Int(exchanges[exchange].table)]
            writeRouted(
                head, fields, buffers, connections[slot].buffer, range, editing, table,
                Int(exchanges[exchange].route), Int(exchanges[exchange].backend), &writer)
        } else {
            writePlain(head, fields, buffers, connections[slot].buffer, range, editing, &writer)
        }
        guard !writer.hasOverflowed else { return false }
        return replaceHead(slot, count: head.count)
    }

    /// What a response says of the client's connection.
    private func connection(_ flags: ExchangeFlags) -> ResponseEditing.Connection {
        guard flags.contains(.clientKeepsAlive) else { return .close }
        return flags.contains(.isOld) ? .keepAlive : .stays
    }

    /// Fills the writer with an answer without a body, but for what clients know the refusals of policies by.
    mutating func writeAnswer(_ exchange: Int32, status: UInt16) {
        let isHead = exchanges[exchange].flags.contains(.isHead)
        let isRefusal = exchanges[exchange].record.reason == .policyDenied
        let body: StaticString = isRefusal ? "RBAC: access denied" : ""
        if !isHead { exchanges[exchange].record.bytesSent = Int64(body.utf8CodeUnitCount) }
        let connection: ResponseEditing.Connection =
            keepsClient(exchange) ? connection(exchanges[exchange].flags) : .close
        writer.clear()
        writeReply(
            status: status, body: body, requestIsHead: isHead, connection: connection, into: &writer)
    }

    /// Fills the writer with a redirect. `range` is where the request's head is.
    mutating func writeRedirection(
        _ exchange: Int32, _ slot: Int32, _ head: RequestHead, _ redirect: RedirectAction, _ range: Range<Int>
    ) {
        let connection: ResponseEditing.Connection =
            keepsClient(exchange) ? connection(exchanges[exchange].flags) : .close
        let table = configurations[exchanges[exchange].snapshot].tables[Int(exchanges[exchange].table)]
        let prefix = table.routes[Int(exchanges[exchange].route)].matchedPrefix
        let port = dialedAddress(slot).port
        writer.clear()
        write(
            redirect, head, buffers, connections[slot].buffer, range, matchedPrefix: prefix, port: port,
            connection, &writer)
    }

    /// Chunks become plain bytes, for a client that does not know them.
    mutating func dechunk(_ exchange: Int32, _ slot: Int32) -> BodyProgress {
        let (ready, end) = (connections[slot].ready, connections[slot].end)
        guard ready < end else { return .more }
        let chunk = connections[slot].buffer
        let progress = exchanges[exchange].responseChunks.dechunk(buffers[chunk], Int(ready)..<Int(end))
        // What follows the message, if anything, stays behind it.
        let (consumed, kept) = (Int32(progress.consumed), Int32(progress.kept))
        buffers[chunk].move(Int(ready + consumed)..<Int(end), to: Int(ready + kept))
        connections[slot].ready = ready + kept
        connections[slot].end = end - consumed + kept
        return BodyProgress(progress.verdict)
    }

    // MARK: The access log

    mutating func beginLog(_ slot: Int32, _ head: RequestHead) -> Int32 {
        let range = Int(connections[slot].start)..<Int(connections[slot].ready)
        return openEntry(
            &accessLog, head, fields, buffers, connections[slot].buffer, range, telemetry)
    }

    /// The id that the request is given on its way, unless its route has another one for it.
    private mutating func logRequestID(_ exchange: Int32, _ random: (UInt64, UInt64)) {
        if exchanges[exchange].route >= 0 {
            let table = configurations[exchanges[exchange].snapshot].tables[Int(exchanges[exchange].table)]
            let route = table.routes[Int(exchanges[exchange].route)]
            let backend = route.backends[Int(exchanges[exchange].backend)]
            guard !drops(route.requestEdits, backend.requestEdits, "x-request-id") else { return }
        }
        writer.clear()
        writer.append(uuid: random)
        setRequestID(&accessLog, writer, exchanges[exchange].log)
    }

    mutating func finishLog(_ exchange: Int32) {
        let endpoint = exchanges[exchange].endpoint
        let address = endpoint >= 0 ? upstreams.endpoints[endpoint].address.socketAddress : nil
        accessLog.finish(
            exchanges[exchange].log, exchanges[exchange].record, upstream: address,
            details: denialDetails(exchange), now: WallClock.now(), telemetry)
    }
}

// The worker's parts are lent one by one: it writes to one of them while it reads others.

private func writeRouted(
    _ head: RequestHead, _ fields: borrowing Slab<HeaderField>, _ buffers: borrowing BufferPool,
    _ buffer: Int32, _ range: Range<Int>, _ editing: RequestEditing, _ table: RouteTable, _ route: Int,
    _ backend: Int, _ writer: inout ByteWriter
) {
    let rewrite = table.routes[route].backends[backend].rewrite ?? table.routes[route].rewrite
    buffers[buffer].read(range) { bytes in
        writeRequest(
            head, fields, bytes, editing, route: table.routes[route].requestEdits,
            backend: table.routes[route].backends[backend].requestEdits, rewrite: rewrite,
            matchedPrefix: table.routes[route].matchedPrefix, into: &writer)
    }
}

private func writePlain(
    _ head: RequestHead, _ fields: borrowing Slab<HeaderField>, _ buffers: borrowing BufferPool,
    _ buffer: Int32, _ range: Range<Int>, _ editing: RequestEditing, _ writer: inout ByteWriter
) {
    let none = HeaderEdits()
    buffers[buffer].read(range) { bytes in
        writeRequest(
            head, fields, bytes, editing, route: none, backend: none, rewrite: nil, matchedPrefix: [],
            into: &writer)
    }
}

private func writeRouted(
    _ head: ResponseHead, _ fields: borrowing Slab<HeaderField>, _ buffers: borrowing BufferPool,
    _ buffer: Int32, _ range: Range<Int>, _ editing: ResponseEditing, _ table: RouteTable, _ route: Int,
    _ backend: Int, _ writer: inout ByteWriter
) {
    buffers[buffer].read(range) { bytes in
        writeResponse(
            head, fields, bytes, editing, route: table.routes[route].responseEdits,
            backend: table.routes[route].backends[backend].responseEdits, into: &writer)
    }
}

private func writePlain(
    _ head: ResponseHead, _ fields: borrowing Slab<HeaderField>, _ buffers: borrowing BufferPool,
    _ buffer: Int32, _ range: Range<Int>, _ editing: ResponseEditing, _ writer: inout ByteWriter
) {
    let none = HeaderEdits()
    buffers[buffer].read(range) { bytes in
        writeResponse(head, fields, bytes, editing, route: none, backend: none, into: &writer)
    }
}

private func isUntouched(
    _ head: ResponseHead, _ editing: ResponseEditing, _ buffers: borrowing BufferPool, _ buffer: Int32,
    _ range: Range<Int>
) -> Bool {
    buffers[buffer].read(range) { bytes in head.isUntouched(bytes, editing) }
}

private func write(
    _ redirect: RedirectAction, _ head: RequestHead, _ buffers: borrowing BufferPool, _ buffer: Int32,
    _ range: Range<Int>, matchedPrefix: [UInt8], port: UInt16, _ connection: ResponseEditing.Connection,
    _ writer: inout ByteWriter
) {
    buffers[buffer].read(range) { bytes in
        writeRedirect(
            redirect, head, bytes, matchedPrefix: matchedPrefix, listenerPort: port, connection: connection,
            into: &writer)
    }
}

private func openEntry(
    _ log: inout AccessLog, _ head: RequestHead, _ fields: borrowing Slab<HeaderField>,
    _ buffers: borrowing BufferPool, _ buffer: Int32, _ range: Range<Int>,
    _ telemetry: borrowing WorkerTelemetry
) -> Int32 {
    buffers[buffer].read(range) { bytes in
        fields.read(0..<head.fieldCount) { fields in log.begin(head, fields, bytes, telemetry) }
    }
}

private func setRequestID(_ log: inout AccessLog, _ writer: borrowing ByteWriter, _ entry: Int32) {
    writer.read { bytes in log.set(.requestID, bytes, in: entry) }
}
