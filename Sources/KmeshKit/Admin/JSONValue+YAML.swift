/// A JSON value as YAML in block style. Every string that YAML could take for something else is quoted.
extension JSONValue {
    public var yaml: String {
        var text = ""
        switch self {
        case .array(let values) where !values.isEmpty: writeYAML(into: &text, indentation: 0)
        case .object(let members) where !members.isEmpty: writeYAML(into: &text, indentation: 0)
        case .null, .bool, .integer, .number, .string, .array, .object: text = "\(yamlScalar)\n"
        }
        return text
    }

    /// Writes the elements of a collection, each on lines of its own.
    private func writeYAML(into text: inout String, indentation: Int) {
        let margin = String(repeating: " ", count: indentation)
        switch self {
        case .array(let values):
            for value in values {
                text += "\(margin)- "
                if value.isNested {
                    // The first line of the element follows the dash.
                    var nested = ""
                    value.writeYAML(into: &nested, indentation: indentation + 2)
                    text += nested.dropFirst(indentation + 2)
                } else {
                    text += "\(value.yamlScalar)\n"
                }
            }
        case .object(let members):
            for member in members {
                text += "\(margin)\(Self.yamlString(member.name)):"
                if member.value.isNested {
                    text += "\n"
                    let deeper = member.value.array == nil ? 2 : 0
                    member.value.writeYAML(into: &text, indentation: indentation + deeper)
                } else {
                    text += " \(member.value.yamlScalar)\n"
                }
            }
        case .null, .bool, .integer, .number, .string:
            text += "\(margin)\(yamlScalar)\n"
        }
    }

    private var isNested: Bool {
        switch self {
        case .array(let values): !values.isEmpty
        case .object(let members): !members.isEmpty
        case .null, .bool, .integer, .number, .string: false
        }
    }

    private var yamlScalar: String {
        switch self {
        case .string(let text): Self.yamlString(text)
        case .array: "[]"
        case .object: "{}"
        case .null, .bool, .integer, .number: text()
        }
    }

    /// Plain when nothing but letters, digits and a few marks makes it up and no reader sees another type
    /// in it.
    private static func yamlString(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let isPlain = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "."): true
            default: false
            }
        }
        let letters = UInt8(ascii: "A")...UInt8(ascii: "z")
        let words: Set<String> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        let startsAsWord = bytes.first.map { letters.contains($0) || $0 == UInt8(ascii: "/") } ?? false
        return isPlain && startsAsWord && !words.contains(text.lowercased())
            ? text : JSONValue.string(text).text()
    }
}
