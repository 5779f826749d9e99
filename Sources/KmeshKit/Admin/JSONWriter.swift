/// Writes JSON into a byte buffer piece by piece, so that a long answer never exists as a tree.
public struct JSONWriter: Sendable {
    public private(set) var bytes: [UInt8] = []
    /// Spaces for each level; `nil` writes everything on one line.
    private let indentation: Int?
    /// Whether each open bracket already holds an element.
    private var levels: [Bool] = []
    private var followsName = false

    public init(indentation: Int? = nil) {
        self.indentation = indentation
    }

    /// What was written since the last time, for whoever sends it on.
    public mutating func takeBytes() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// The next value belongs to this member.
    public mutating func name(_ name: String) {
        startElement()
        writeString(name)
        bytes.append(UInt8(ascii: ":"))
        if indentation != nil { bytes.append(UInt8(ascii: " ")) }
        followsName = true
    }

    public mutating func member(_ name: String, _ value: JSONValue) {
        self.name(name)
        self.value(value)
    }

    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: writeScalar("null")
        case .bool(let value): writeScalar(value ? "true" : "false")
        case .integer(let value): writeScalar(String(value))
        case .number(let value): writeScalar(value.isFinite ? String(value) : "null")
        case .string(let text):
            startElement()
            writeString(text)
        case .array(let values):
            beginArray()
            for value in values { self.value(value) }
            endArray()
        case .object(let members):
            beginObject()
            for member in members { self.member(member.name, member.value) }
            endObject()
        }
    }

    private mutating func writeScalar(_ text: String) {
        startElement()
        bytes += text.utf8
    }

    private mutating func startElement() {
        guard !followsName else {
            followsName = false
            return
        }
        guard let hasElement = levels.last else { return }
        if hasElement { bytes.append(UInt8(ascii: ",")) }
        levels[levels.count - 1] = true
        breakLine()
    }

    private mutating func open(_ bracket: UInt8) {
        startElement()
        bytes.append(bracket)
        levels.append(false)
    }

    private mutating func close(_ bracket: UInt8) {
        if levels.removeLast() { breakLine() }
        bytes.append(bracket)
    }

    private mutating func breakLine() {
        guard let indentation else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes += repeatElement(UInt8(ascii: " "), count: indentation * levels.count)
    }

    private mutating func writeString(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        let source = Array(text.utf8)
        // What needs no escape is copied in runs.
        var run = 0
        for index in source.indices where Self.needsEscape(source[index]) {
            bytes += source[run..<index]
            writeEscape(source[index])
            run = index + 1
        }
        bytes += source[run...]
        bytes.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7f
    }

    private mutating func writeEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
        case 0x0a: bytes += "\\n".utf8
        case 0x0d: bytes += "\\r".utf8
        case 0x09: bytes += "\\t".utf8
        default: bytes += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
        }
    }
}

extension JSONValue {
    public func serialized(indentation: Int? = nil) -> [UInt8] {
        var writer = JSONWriter(indentation: indentation)
        writer.value(self)
        return writer.bytes
    }

    public func text(indentation: Int? = nil) -> String {
        String(decoding: serialized(indentation: indentation), as: UTF8.self)
    }
}
