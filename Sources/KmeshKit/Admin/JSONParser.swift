/// Reads JSON as RFC 8259 defines it, nothing more: no comments, no trailing commas, no duplicate member
/// names.

/// Where and why a text is not JSON. Lines count from 1; the offset counts bytes from 0.
public struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    public let problem: String
    public let line: Int
    public let offset: Int

    public var description: String { "line \(line), byte \(offset): \(problem)" }
}

extension JSONValue {
    /// Deeper nesting is refused, so that no text can exhaust the stack.
    public static let depthLimit = 64

    /// Parses one value that fills `bytes`, but for white space around it.
    public init(parsing bytes: [UInt8], limit: Int = 1 << 29) throws(JSONSyntaxError) {
        guard bytes.count <= limit else {
            throw JSONSyntaxError(problem: "more than \(limit) bytes", line: 1, offset: limit)
        }
        var parser = JSONParser(bytes: bytes)
        self = try parser.parseDocument()
    }

    public init(parsing text: String) throws(JSONSyntaxError) {
        try self.init(parsing: Array(text.utf8))
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    var position = 0

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    func failure(_ problem: String, at offset: Int? = nil) -> JSONSyntaxError {
        let offset = min(offset ?? position, bytes.count)
        let line = 1 + bytes[..<offset].count { $0 == UInt8(ascii: "\n") }
        return JSONSyntaxError(problem: problem, line: line, offset: offset)
    }

    mutating func parseDocument() throws(JSONSyntaxError) -> JSONValue {
        let value = try parseValue(depth: 0)
        skipWhiteSpace()
        guard next == nil else { throw failure("something follows the value") }
        return value
    }

    mutating func skipWhiteSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    mutating func parseValue(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        skipWhiteSpace()
        guard depth <= JSONValue.depthLimit else {
            throw failure("nested deeper than \(JSONValue.depthLimit)")
        }
        guard let first = next else { throw failure("the text ends where a value should be") }
        switch first {
        case UInt8(ascii: "{"): return try parseObject(depth: depth)
        case UInt8(ascii: "["): return try parseArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        default: throw failure("this starts no value")
        }
    }

    mutating func parseWord(_ word: String, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw failure("this starts no value") }
        position += word.utf8.count
        return value
    }

    mutating func parseArray(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipWhiteSpace()
        if next == UInt8(ascii: "]") {
            position += 1
            return .array(values)
        }
        while true {
            values.append(try parseValue(depth: depth + 1))
            if try endsAfterElement(closing: UInt8(ascii: "]")) { return .array(values) }
        }
    }

    mutating func parseObject(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        position += 1
        var members: [JSONValue.Member] = []
        // A set only for objects with many members: most have a handful.
        var names: Set<String> = []
        skipWhiteSpace()
        if next == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipWhiteSpace()
            let start = position
            guard next == UInt8(ascii: "\"") else { throw failure("a member's name should be here") }
            let name = try parseString()
            if members.count == 16 { names = Set(members.map(\.name)) }
            let known =
                members.count < 16 ? members.contains { $0.name == name } : !names.insert(name).inserted
            guard !known else { throw failure("the name \"\(name)\" appears twice", at: start) }
            skipWhiteSpace()
            guard next == UInt8(ascii: ":") else { throw failure("a colon should be here") }
            position += 1
            members.append(JSONValue.Member(name, try parseValue(depth: depth + 1)))
            if try endsAfterElement(closing: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    /// Takes the comma (false) or the closing bracket (true) after an element.
    mutating func endsAfterElement(closing: UInt8) throws(JSONSyntaxError) -> Bool {
        skipWhiteSpace()
        guard let byte = next else { throw failure("the text ends inside brackets") }
        guard byte == closing || byte == UInt8(ascii: ",") else {
            throw failure("a comma or a closing bracket should be here")
        }
        position += 1
        return byte == closing
    }
}

// Numbers and strings.
extension JSONParser {
    mutating func skipDigits() throws(JSONSyntaxError) {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw failure("a digit should be here") }
    }

    mutating func parseNumber() throws(JSONSyntaxError) -> JSONValue {
        let start = position
        var isInteger = true
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") {
            position += 1
            if let byte = next, (0x30...0x39).contains(byte) { throw failure("a number with a leading zero") }
        } else {
            try skipDigits()
        }
        if next == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            try skipDigits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try skipDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw failure("a number too large to hold", at: start)
        }
        return .number(value)
    }

    mutating func parseString() throws(JSONSyntaxError) -> String {
        let start = position
        position += 1
        // Escapes are resolved into UTF-8; a text without any is taken as it stands.
        var text: [UInt8] = []
        var run = position
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                text += bytes[run..<position]
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw failure("a string that is not UTF-8", at: start)
                }
                position += 1
                return string
            case UInt8(ascii: "\\"):
                text += bytes[run..<position]
                position += 1
                try parseEscape(into: &text)
                run = position
            case 0..<0x20:
                throw failure("a control character in a string")
            default:
                position += 1
            }
        }
        throw failure("a string without an end", at: start)
    }

    mutating func parseEscape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = next else { throw failure("the text ends in an escape") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text += Array(String(Character(try parseUnicodeEscape())).utf8)
        default: throw failure("an unknown escape", at: position - 2)
        }
    }

    /// The scalar after `\u`; characters beyond 16 bits are written as two surrogates.
    mutating func parseUnicodeEscape() throws(JSONSyntaxError) -> Unicode.Scalar {
        let start = position - 2
        let first = try parseFourHexadecimalDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xd800..<0xdc00).contains(first), bytes[position...].starts(with: [0x5c, 0x75]) else {
            throw failure("half of a surrogate pair", at: start)
        }
        position += 2
        let second = try parseFourHexadecimalDigits()
        guard (0xdc00..<0xe000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
        else { throw failure("half of a surrogate pair", at: start) }
        return scalar
    }

    mutating func parseFourHexadecimalDigits() throws(JSONSyntaxError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("four hexadecimal digits should be here")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
