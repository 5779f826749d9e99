// Heads as they are sent on, and answers of our own.
internal import KmeshKit

extension Worker {
    /// Puts the head that goes upstream before the body's first bytes. Whether it fits.
    mutating func editRequest(_ exchange: Int32, _ slot: Int32, _ head: RequestHead) -> Bool {
        let range = Int(connections[slot].start)..<Int(connections[slot].ready)
        writer.clear()
        copyHead(buffers, connections[slot].buffer, range, fields, head.fieldCount, Int(head.count), "", &writer)
        return replaceHead(slot, count: head.count)
    }

    mutating func editResponse(_ exchange: Int32, _ slot: Int32, _ head: ResponseHead) -> Bool {
        let range = Int(connections[slot].start)..<(Int(connections[slot].start) + Int(head.count))
        writer.clear()
        let flags = exchanges[exchange].flags
        let ending: StaticString =
            !flags.contains(.clientKeepsAlive)
            ? "Connection: close\r\n" : flags.contains(.isOld) ? "Connection: keep-alive\r\n" : ""
        copyHead(buffers, connections[slot].buffer, range, fields, head.fieldCount, Int(head.count), ending, &writer)
        return replaceHead(slot, count: head.count)
    }

    mutating func writeAnswer(status: UInt16, isHead: Bool, closes: Bool) {
        writer.clear()
        writer.append("HTTP/1.1 ")
        writer.append(decimal: UInt64(status))
        writer.append(" Answer\r\ncontent-length: 0\r\n")
        if closes { writer.append("connection: close\r\n") }
        writer.append("\r\n")
    }

    mutating func writeRedirect(
        _ exchange: Int32, _ slot: Int32, _ head: RequestHead, _ redirect: RedirectAction
    ) -> Bool {
        writeAnswer(status: redirect.status, isHead: false, closes: !keepsClient(exchange))
        return true
    }

    /// Chunks become plain bytes.
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
}

private func copyHead(
    _ buffers: borrowing BufferPool, _ buffer: Int32, _ range: Range<Int>,
    _ fields: borrowing Slab<HeaderField>, _ count: Int32,
    _ end: Int, _ ending: StaticString, _ writer: inout ByteWriter
) {
    buffers[buffer].read(range) { bytes in
        let first = count > 0 ? Int(fields[0].line.start) : end - 2
        writer.append(bytes.extracting(0..<first))
        for number in 0..<count {
            switch fields[number].known {
            case .connection, .keepAlive, .proxyConnection, .te: continue
            default: writer.append(bytes.extracting(fields[number].line.range))
            }
        }
        writer.append(ending)
        writer.append("\r\n")
    }
}

/// The access log's entry of a request.
func openLogEntry(
    _ log: inout AccessLog, _ head: RequestHead, _ fields: borrowing Slab<HeaderField>,
    _ buffers: borrowing BufferPool, _ buffer: Int32, _ range: Range<Int>,
    _ telemetry: borrowing WorkerTelemetry
) -> Int32 {
    -1
}

extension Worker {
    mutating func finishLog(_ exchange: Int32) {}
}

extension CompiledRoute {
    func hasResponseEdits(backend: Int) -> Bool {
        !responseEdits.isEmpty || !backends[backend].responseEdits.isEmpty
    }
}
