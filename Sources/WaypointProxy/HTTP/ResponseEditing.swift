/// The head of a response as it is sent on: always as HTTP/1.1, without what concerned the upstream's
/// connection only, with the route's changes.

/// What a response is sent on with, besides its own head and its route.
struct ResponseEditing: BitwiseCopyable {
    enum Connection: UInt8, BitwiseCopyable {
        /// Nothing is said: it stays, for HTTP/1.1.
        case stays = 0
        /// Said to a client of HTTP/1.0.
        case keepAlive
        case close
    }

    var connection = Connection.stays
    /// For a client of HTTP/1.0: the body is sent without its chunks, to the end of the connection. Goes with
    /// `close`, and with `ChunkedDecoder.dechunk`.
    var dropsChunks = false
}

extension ResponseHead {
    /// RFC 9110 section 8.6 and RFC 9112 section 6.1.
    fileprivate var hasNeitherLengthNorEncoding: Bool { status < 200 || status == 204 }

    /// What may go even where neither a route nor Connection asks for it.
    @inline(__always)
    fileprivate func touched(_ editing: ResponseEditing) -> KnownHeaders {
        var touched = KnownHeaders.ofConnection.with(.upgrade)
        if editing.dropsChunks { touched.insert(.transferEncoding) }
        if hasNeitherLengthNorEncoding { touched = touched.with(.contentLength).with(.transferEncoding) }
        return touched
    }

    /// Whether the head goes to the client as it came, as long as no route changes it.
    func isUntouched(_ bytes: Span<UInt8>, _ editing: ResponseEditing) -> Bool {
        editing.connection == .stays && minorVersion == 1 && status != 101 && bytes[12] == ASCII.space
            && !namesHeaders && present.isDisjoint(with: touched(editing))
    }
}

/// Writes the head of `bytes`. The backend's edits come first, then the route's, each to what the one before
/// left. 101 keeps its Upgrade header.
func writeResponse(
    _ head: ResponseHead, _ fields: borrowing Slab<HeaderField>, _ bytes: Span<UInt8>,
    _ editing: ResponseEditing, route: borrowing HeaderEdits, backend: borrowing HeaderEdits,
    into writer: inout ByteWriter
) {
    let isEdited = !route.dropped.isEmpty || !backend.dropped.isEmpty
    var run = 0
    if head.minorVersion != 1 || bytes[12] != ASCII.space {
        writer.append("HTTP/1.1 ")
        writer.append(bytes.extracting(9..<12))
        // Some leave the space out where no phrase follows.
        if bytes[12] != ASCII.space { writer.append(" ") }
        run = 12
    }
    let hasNoBody = head.hasNeitherLengthNorEncoding
    let touched = head.touched(editing)
    for number in 0..<head.fieldCount {
        let field = fields[number]
        guard isEdited || head.namesHeaders || touched.contains(field.known) else { continue }
        let isKept: Bool
        switch field.known {
        case .connection, .keepAlive, .proxyConnection, .te: isKept = false
        case .upgrade: isKept = head.status == 101
        case .contentLength: isKept = !hasNoBody
        case .transferEncoding: isKept = !hasNoBody && !editing.dropsChunks
        default: isKept = !head.namesHeaders || !isNamedByConnection(field, head.fieldCount, fields, bytes)
        }
        let goes = !isKept || isEdited && isDropped(field, bytes, route, backend)
        guard goes else { continue }
        writer.append(bytes.extracting(run..<Int(field.line.start)))
        run = field.line.range.upperBound
    }
    writer.append(bytes.extracting(run..<Int(head.count - 2)))
    if head.status == 101 {
        writer.append("Connection: Upgrade\r\n")
    } else {
        writer.append(editing.connection)
    }
    writeEdits(backend, route, into: &writer)
    writer.append("\r\n")
}

extension ByteWriter {
    mutating func append(_ connection: ResponseEditing.Connection) {
        switch connection {
        case .stays: break
        case .keepAlive: append("Connection: keep-alive\r\n")
        case .close: append("Connection: close\r\n")
        }
    }
}
