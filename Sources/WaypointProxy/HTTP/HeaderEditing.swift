/// What editing of requests and responses has in common.
internal import KmeshKit

/// Whether a Connection header of the message names this one.
func isNamedByConnection(
    _ field: HeaderField, _ count: Int32, _ fields: borrowing Slab<HeaderField>, _ bytes: Span<UInt8>
) -> Bool {
    for number in 0..<count where fields[number].known == .connection {
        let value = fields[number].value
        var at = value.range.lowerBound
        while let option = nextElement(bytes, &at, value.range.upperBound) {
            if bytes.equalIgnoringCase(option, field.name) { return true }
        }
    }
    return false
}

func isDropped(
    _ field: HeaderField, _ bytes: Span<UInt8>, _ route: borrowing HeaderEdits,
    _ backend: borrowing HeaderEdits
) -> Bool {
    drops(route, field, bytes) || drops(backend, field, bytes)
}

private func drops(_ edits: borrowing HeaderEdits, _ field: HeaderField, _ bytes: Span<UInt8>) -> Bool {
    for name in edits.dropped where bytes.equals(field.name, ignoringCase: name.span) { return true }
    return false
}

/// Whether one of the two takes away, or sets, the header of this name in lower case.
func drops(_ route: borrowing HeaderEdits, _ backend: borrowing HeaderEdits, _ name: StaticString) -> Bool {
    for dropped in route.dropped where dropped.span.isAll(of: name) { return true }
    for dropped in backend.dropped where dropped.span.isAll(of: name) { return true }
    return false
}

/// The lines that the route adds, without those that its backend takes away again, then the backend's.
func writeEdits(
    _ route: borrowing HeaderEdits, _ backend: borrowing HeaderEdits, into writer: inout ByteWriter
) {
    if backend.dropped.isEmpty {
        if !route.appended.isEmpty { writer.append(route.appended) }
    } else {
        let lines = route.appended.span
        var start = 0
        while start < lines.count {
            let end = min(lines.lineFeed(from: start) + 1, lines.count)
            var nameEnd = start
            while nameEnd < end, lines[nameEnd] != ASCII.colon { nameEnd += 1 }
            var field = HeaderField()
            field.name = ByteRange(start, nameEnd)
            if !drops(backend, field, lines) { writer.append(lines.extracting(start..<end)) }
            start = end
        }
    }
    if !backend.appended.isEmpty { writer.append(backend.appended) }
}

/// The path and the query of a target, with the path rewritten. `*` stays as it is.
func writeTarget(
    _ head: RequestHead, _ bytes: Span<UInt8>, _ rewrite: PathRewrite?, _ prefix: [UInt8],
    into writer: inout ByteWriter
) {
    let path = bytes.extracting(head.path.range)
    let isAsterisk = path.count == 1 && path[0] == UInt8(ascii: "*")
    switch rewrite {
    case .full(let text) where !isAsterisk:
        writer.append(text.utf8.isEmpty ? "/".utf8 : text.utf8)
    case .prefix(let text) where !isAsterisk && path.hasSegments(prefix):
        writeReplaced(path, prefix, text, into: &writer)
    default:
        // RFC 9112 section 3.2.4: OPTIONS for a whole server.
        let isOptions = bytes.matches("OPTIONS ", at: Int(head.method.start))
        if path.isEmpty {
            writer.append(isOptions && !head.hasQuery ? "*" : "/")
        } else {
            writer.append(path)
        }
    }
    if head.hasQuery {
        writer.append("?")
        writer.append(bytes.extracting(head.query.range))
    }
}

/// `/a` for `/b`: `/a/c` becomes `/b/c`, `/a` becomes `/b`. Slashes at the end of prefix and replacement do
/// not count where something follows.
private func writeReplaced(
    _ path: Span<UInt8>, _ prefix: [UInt8], _ replacement: String, into writer: inout ByteWriter
) {
    let rest = path.extracting(min(prefixLength(prefix), path.count)..<path.count)
    if rest.isEmpty {
        writer.append(replacement.utf8.isEmpty ? "/".utf8 : replacement.utf8)
        return
    }
    var text = Substring(replacement)
    if text.utf8.last == ASCII.slash { text.removeLast() }
    for byte in text.utf8 { writer.append(byte) }
    writer.append(rest)
}

/// Without a slash at its end.
private func prefixLength(_ prefix: [UInt8]) -> Int {
    prefix.last == ASCII.slash ? prefix.count - 1 : prefix.count
}

extension Span<UInt8> {
    /// Whether these are the first whole segments of a path; an empty path is `/`.
    fileprivate func hasSegments(_ prefix: [UInt8]) -> Bool {
        let length = prefixLength(prefix)
        guard length > 0, !isEmpty else { return length == 0 }
        return matches(prefix.span.extracting(0..<length), at: 0)
            && (count == length || self[length] == ASCII.slash)
    }

    /// Whether these bytes are `text`.
    fileprivate func isAll(of text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && matches(text, at: 0)
    }

    fileprivate func equalIgnoringCase(_ left: ByteRange, _ right: ByteRange) -> Bool {
        guard left.count == right.count else { return false }
        for offset in 0..<Int(left.count)
        where lowered(self[Int(left.start) + offset]) != lowered(self[Int(right.start) + offset]) {
            return false
        }
        return true
    }
}

private func lowered(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}

extension ByteWriter {
    /// For text of the configuration.
    mutating func append(_ text: String.UTF8View) {
        append(text.span)
    }

    /// As RFC 5952 writes it.
    mutating func append(address: IPAddress) {
        guard address.isV4 else {
            append(address.description.utf8)
            return
        }
        append(v4: address.v4Bits)
    }

    mutating func append(authority destination: SocketAddress) {
        if !destination.address.isV4 { append("[") }
        append(address: destination.address)
        append(destination.address.isV4 ? ":" : "]:")
        append(decimal: UInt64(destination.port))
    }

    /// Of version 4, from 128 random bits.
    mutating func append(uuid random: (UInt64, UInt64)) {
        let high = random.0 & 0xffff_ffff_ffff_0fff | 0x4000
        let low = random.1 & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        append(uuid: high, low)
    }
}
