/// The head of a request as it is sent on: always HTTP/1.1, without what concerned one connection only (RFC
/// 9110 section 7.6.1), with what the proxy adds and the route's changes. Lines that stay are copied in runs.
///
/// Headers that Connection names go, but for those that a proxy itself needs: their meaning is not for the
/// client to take away. Proxy-Authorization stays, since it is for a proxy that asked for it, and we ask for
/// nothing.
internal import KmeshKit

/// What a request is sent on with, besides its own head and its route.
struct RequestEditing {
    /// For X-Forwarded-For.
    var client: IPAddress
    /// Where the client connected to: the Host of a request of HTTP/1.0 that has none.
    var destination: SocketAddress
    /// For X-Request-Id, where there is none.
    var random: (UInt64, UInt64)
    /// Whether the client's wish for another protocol is passed on; only where the head `asksUpgrade`.
    var keepsUpgrade = false
    /// Whether the proxy answered the expectation of 100 by itself.
    var dropsExpect = false
}

/// Writes the head of `bytes`. The route's edits come first, then the backend's, each to what the one before
/// left. `matchedPrefix` is what a rewrite of the prefix replaces.
func writeRequest(
    _ head: RequestHead, _ fields: borrowing Slab<HeaderField>, _ bytes: Span<UInt8>,
    _ editing: RequestEditing,
    route: borrowing HeaderEdits, backend: borrowing HeaderEdits, rewrite: URLRewrite?,
    matchedPrefix: [UInt8],
    into writer: inout ByteWriter
) {
    let isEdited = !route.dropped.isEmpty || !backend.dropped.isEmpty
    let keepsUpgrade = editing.keepsUpgrade && head.asksUpgrade
    let isLineKept = rewrite?.path == nil && !head.isAbsolute && head.minorVersion == 1
    var run = Int(head.method.start)
    if !isLineKept {
        writeRequestLine(head, bytes, rewrite?.path, matchedPrefix, into: &writer)
        run = Int(head.fieldCount > 0 ? fields[0].line.start : head.count - 2)
    }
    var sendsTrailers = false
    // Most requests have nothing that goes: then the lines are not looked at.
    let looksAtAll = isEdited || head.namesHeaders || head.isAbsolute || rewrite?.host != nil
    if looksAtAll || !head.present.isDisjoint(with: .touchedInRequests) {
        for number in 0..<head.fieldCount {
            let field = fields[number]
            guard looksAtAll || KnownHeaders.touchedInRequests.contains(field.known) else { continue }
            let isKept: Bool
            switch field.known {
            case .other, .userAgent:
                isKept = !head.namesHeaders || !isNamedByConnection(field, head.fieldCount, fields, bytes)
            case .host: isKept = !head.isAbsolute && rewrite?.host == nil
            case .contentLength, .transferEncoding, .forwardedProto, .requestID: isKept = true
            case .expect: isKept = !editing.dropsExpect
            case .upgrade: isKept = keepsUpgrade
            case .te:
                sendsTrailers = sendsTrailers || containsTrailers(bytes, field.value)
                isKept = false
            case .connection, .keepAlive, .proxyConnection: isKept = false
            case .forwardedFor:
                isKept = true
                if number == head.lastForwardedFor, !isEdited || !drops(route, backend, "x-forwarded-for") {
                    // The list goes on where its last line ends.
                    let end = field.value.range.upperBound
                    writer.append(bytes.extracting(run..<end))
                    writer.append(field.value.isEmpty ? "" : ", ")
                    writer.append(address: editing.client)
                    run = end
                    continue
                }
            }
            let goes = !isKept || isEdited && isDropped(field, bytes, route, backend)
            guard goes else { continue }
            writer.append(bytes.extracting(run..<Int(field.line.start)))
            run = field.line.range.upperBound
        }
    }
    writer.append(bytes.extracting(run..<Int(head.count - 2)))
    writeHost(head, bytes, rewrite?.host, editing, into: &writer)
    writeConnection(keepsUpgrade, sendsTrailers, into: &writer)
    writeAdditions(head, editing, route, backend, into: &writer)
    writeEdits(route, backend, into: &writer)
    writer.append("\r\n")
}

extension KnownHeaders {
    /// What may go, or be changed, even where neither a route nor Connection asks for it.
    fileprivate static var touchedInRequests: KnownHeaders {
        @inline(__always) get { ofConnection.with(.upgrade).with(.expect).with(.forwardedFor) }
    }
}

private func writeRequestLine(
    _ head: RequestHead, _ bytes: Span<UInt8>, _ rewrite: PathRewrite?, _ prefix: [UInt8],
    into writer: inout ByteWriter
) {
    writer.append(bytes.extracting(head.method.range))
    writer.append(" ")
    writeTarget(head, bytes, rewrite, prefix, into: &writer)
    writer.append(" HTTP/1.1\r\n")
}

private func writeHost(
    _ head: RequestHead, _ bytes: Span<UInt8>, _ rewritten: String?, _ editing: RequestEditing,
    into writer: inout ByteWriter
) {
    if let rewritten {
        writer.append("Host: ")
        writer.append(rewritten.utf8)
    } else if head.isAbsolute {
        writer.append("Host: ")
        writer.append(bytes.extracting(head.authority.range))
    } else if !head.present.contains(.host) {
        writer.append("Host: ")
        writer.append(authority: editing.destination)
    } else {
        return
    }
    writer.append("\r\n")
}

private func writeConnection(_ keepsUpgrade: Bool, _ sendsTrailers: Bool, into writer: inout ByteWriter) {
    switch (keepsUpgrade, sendsTrailers) {
    case (true, true): writer.append("Connection: Upgrade, TE\r\nTE: trailers\r\n")
    case (true, false): writer.append("Connection: Upgrade\r\n")
    case (false, true): writer.append("Connection: TE\r\nTE: trailers\r\n")
    case (false, false): break
    }
}

/// What the proxy says by itself; a route can take it away, or say it otherwise.
private func writeAdditions(
    _ head: RequestHead, _ editing: RequestEditing, _ route: borrowing HeaderEdits,
    _ backend: borrowing HeaderEdits, into writer: inout ByteWriter
) {
    let isEdited = !route.dropped.isEmpty || !backend.dropped.isEmpty
    if head.lastForwardedFor < 0, !isEdited || !drops(route, backend, "x-forwarded-for") {
        writer.append("X-Forwarded-For: ")
        writer.append(address: editing.client)
        writer.append("\r\n")
    }
    if !head.present.contains(.forwardedProto), !isEdited || !drops(route, backend, "x-forwarded-proto") {
        writer.append("X-Forwarded-Proto: http\r\n")
    }
    if !head.present.contains(.requestID), !isEdited || !drops(route, backend, "x-request-id") {
        writer.append("X-Request-Id: ")
        writer.append(uuid: editing.random)
        writer.append("\r\n")
    }
}

/// Whether a TE header accepts trailers.
private func containsTrailers(_ bytes: Span<UInt8>, _ value: ByteRange) -> Bool {
    var at = value.range.lowerBound
    while let element = nextElement(bytes, &at, value.range.upperBound) {
        if bytes.equals(element, ignoringCase: "trailers") { return true }
    }
    return false
}
