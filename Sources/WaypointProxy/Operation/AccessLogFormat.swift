/// How lines of the access log look.
public enum AccessLogFormat: String, Sendable, CaseIterable {
    case off
    /// Envoy's default fields in their order.
    case text
    /// The same fields by name, as Istio names them; one object a line.
    case json
}

/// The texts of a request that its line shows, by their place in the line's entry.
enum AccessLogText: Int, CaseIterable {
    case method, path, forwardedFor, userAgent, requestID, authority
}

/// Writes bytes that clients chose so that they stay inside their field and their line.
enum AccessLogEscape {
    /// Everything but printable ASCII as `\xNN`; quotation marks and backslashes with a backslash. In a word
    /// a space is escaped too: it would end the field.
    static func text(_ bytes: Span<UInt8>, to line: inout ByteWriter, asWord: Bool = false) {
        for index in bytes.indices {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                line.append(UInt8(ascii: "\\"))
                line.append(byte)
            } else if byte < 0x20 || byte > 0x7e || asWord && byte == 0x20 {
                line.append("\\x")
                appendHexadecimal(byte, to: &line)
            } else {
                line.append(byte)
            }
        }
    }

    /// The inside of a JSON string. Bytes that are no UTF-8 are shown as the characters of their numbers.
    static func json(_ bytes: Span<UInt8>, to line: inout ByteWriter) {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte >= 0x80 {
                let length = sequenceLength(bytes, at: index)
                if length > 0 {
                    line.append(bytes.extracting(index..<(index + length)))
                    index += length
                    continue
                }
            }
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                line.append(UInt8(ascii: "\\"))
                line.append(byte)
            } else if byte < 0x20 || byte > 0x7e {
                line.append("\\u00")
                appendHexadecimal(byte, to: &line)
            } else {
                line.append(byte)
            }
            index += 1
        }
    }

    /// Of a well-formed sequence of UTF-8 beyond ASCII (RFC 3629), else 0. Line separators count as none.
    private static func sequenceLength(_ bytes: Span<UInt8>, at index: Int) -> Int {
        func byte(_ offset: Int) -> UInt8 { index + offset < bytes.count ? bytes[index + offset] : 0 }
        func follows(_ offset: Int) -> Bool { byte(offset) & 0xc0 == 0x80 }
        let (first, second) = (byte(0), byte(1))
        guard follows(1) else { return 0 }
        switch first {
        // The control characters of C1 are in 0xc2 0x80 to 0x9f.
        case 0xc2: return second >= 0xa0 ? 2 : 0
        case 0xc3...0xdf: return 2
        case 0xe0...0xef:
            if first == 0xe0, second < 0xa0 { return 0 }
            if first == 0xed, second > 0x9f { return 0 }
            if first == 0xe2, second == 0x80, byte(2) == 0xa8 || byte(2) == 0xa9 { return 0 }
            return follows(2) ? 3 : 0
        case 0xf0...0xf4:
            if first == 0xf0, second < 0x90 { return 0 }
            if first == 0xf4, second > 0x8f { return 0 }
            return follows(2) && follows(3) ? 4 : 0
        default: return 0
        }
    }

    private static func appendHexadecimal(_ byte: UInt8, to line: inout ByteWriter) {
        for digit in [byte >> 4, byte & 15] {
            line.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
