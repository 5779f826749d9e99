/// The form of a path that policies are compared with: that of RFC 3986 section 6.2.2, as Istio has it unless
/// it is told otherwise. Percent-encoded letters, digits, `-`, `.`, `_` and `~` are decoded, a backslash is a
/// slash, and the segments `.` and `..` are resolved. Slashes that are encoded stay so, and slashes in a row
/// stay apart.

enum PolicyPath {
    /// Whether the path may differ from its form.
    static func needsForm(_ bytes: Span<UInt8>, _ path: Range<Int>) -> Bool {
        // `*`, for a server as a whole.
        guard !path.isEmpty, bytes[path.lowerBound] == ASCII.slash else { return false }
        if bytes.find(percent, from: path.lowerBound, to: path.upperBound) < path.upperBound { return true }
        if bytes.find(backslash, from: path.lowerBound, to: path.upperBound) < path.upperBound { return true }
        var dot = bytes.find(period, from: path.lowerBound, to: path.upperBound)
        while dot < path.upperBound {
            if bytes[dot &- 1] == ASCII.slash { return true }
            dot = bytes.find(period, from: dot &+ 1, to: path.upperBound)
        }
        return false
    }

    /// Fills `writer` with the form of a path that begins with a slash. Whether more was done than decoding:
    /// a server that does not resolve segments sees another path then.
    static func resolve(_ bytes: Span<UInt8>, _ path: Range<Int>, into writer: inout ByteWriter) -> Bool {
        writer.clear()
        var isCrooked = false
        // After the last slash.
        var segment = 0
        var at = path.lowerBound
        while at < path.upperBound {
            // Decoding makes neither of them.
            let byte = next(bytes, &at, path.upperBound)
            guard byte == ASCII.slash || byte == backslash else {
                writer.append(byte)
                continue
            }
            if byte == backslash { isCrooked = true }
            if close(&segment, &writer) {
                isCrooked = true
            } else {
                writer.append(ASCII.slash)
                segment = writer.count
            }
        }
        if close(&segment, &writer) { isCrooked = true }
        precondition(!writer.hasOverflowed, "the writer has room for a head")
        return isCrooked
    }

    /// Fills `writer` with the path, decoded alone.
    static func decode(_ bytes: Span<UInt8>, _ path: Range<Int>, into writer: inout ByteWriter) {
        writer.clear()
        var at = path.lowerBound
        while at < path.upperBound { writer.append(next(bytes, &at, path.upperBound)) }
        precondition(!writer.hasOverflowed, "the writer has room for a head")
    }

    /// Takes the segment that ends here away when it is `.`, with the one before when it is `..`: what is
    /// left ends at a slash. Whether it was one of them.
    private static func close(_ segment: inout Int, _ writer: inout ByteWriter) -> Bool {
        let length = writer.count &- segment
        guard length == 1 || length == 2, writer.chunk[segment] == period else { return false }
        guard length == 2 else {
            writer.truncate(to: segment)
            return true
        }
        guard writer.chunk[segment &+ 1] == period else { return false }
        if segment > 1 {
            segment &-= 1
            while writer.chunk[segment &- 1] != ASCII.slash { segment &-= 1 }
        }
        writer.truncate(to: segment)
        return true
    }

    private static func next(_ bytes: Span<UInt8>, _ at: inout Int, _ end: Int) -> UInt8 {
        let byte = bytes[at]
        at &+= 1
        guard byte == percent, at &+ 1 < end, let high = digit(bytes[at]), let low = digit(bytes[at &+ 1])
        else { return byte }
        let decoded = high << 4 | low
        guard isUnreserved(decoded) else { return byte }
        at &+= 2
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        if ASCII.isDigit(byte) { return byte &- UInt8(ascii: "0") }
        let letter = byte.lowered &- UInt8(ascii: "a")
        return letter < 6 ? letter &+ 10 : nil
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-"), period, UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: ASCII.isDigit(byte) || byte.lowered &- UInt8(ascii: "a") < 26
        }
    }

    private static var percent: UInt8 { UInt8(ascii: "%") }
    private static var backslash: UInt8 { UInt8(ascii: "\\") }
    private static var period: UInt8 { UInt8(ascii: ".") }
}
