/// Writes trees as block YAML or as JSON.
public enum YAMLWriter {
    /// One document, ending with a line end, without `---`.
    public static func yaml(_ node: YAMLNode) -> String {
        var text = ""
        writeBlock(node, indent: 0, into: &text)
        return text
    }

    /// Documents with `---` between them.
    public static func yaml(documents: [YAMLNode]) -> String {
        documents.map { yaml($0) }.joined(separator: "---\n")
    }

    /// `indent` 0 puts all on one line. No line end at the end.
    public static func json(_ node: YAMLNode, indent: Int = 2) -> String {
        var text = ""
        writeJSON(node, indent: indent, level: 0, into: &text)
        return text
    }

    // MARK: YAML

    private static func writeBlock(_ node: YAMLNode, indent: Int, into text: inout String) {
        let margin = String(repeating: " ", count: indent)
        switch node.value {
        case .mapping(let entries) where !entries.isEmpty:
            for entry in entries {
                text += margin
                writeEntry(entry, indent: indent, into: &text)
            }
        case .sequence(let elements) where !elements.isEmpty:
            for element in elements {
                text += margin + "- "
                writeElement(element, indent: indent, into: &text)
            }
        case .mapping, .sequence, .scalar:
            text += margin + inline(node) + "\n"
        }
    }

    private static func writeEntry(_ entry: YAMLEntry, indent: Int, into text: inout String) {
        text += quotedIfNeeded(entry.key) + ":"
        switch entry.node.value {
        case .mapping(let entries) where !entries.isEmpty:
            text += "\n"
            writeBlock(entry.node, indent: indent + 2, into: &text)
        case .sequence(let elements) where !elements.isEmpty:
            // As kubectl writes it: the dashes stand under the key.
            text += "\n"
            writeBlock(entry.node, indent: indent, into: &text)
        case .mapping, .sequence, .scalar:
            text += " " + inline(entry.node) + "\n"
        }
    }

    private static func writeElement(_ element: YAMLNode, indent: Int, into text: inout String) {
        switch element.value {
        case .mapping(let entries) where !entries.isEmpty:
            for (index, entry) in entries.enumerated() {
                if index > 0 { text += String(repeating: " ", count: indent + 2) }
                writeEntry(entry, indent: indent + 2, into: &text)
            }
        case .sequence(let elements) where !elements.isEmpty:
            for (index, inner) in elements.enumerated() {
                if index > 0 { text += String(repeating: " ", count: indent + 2) }
                text += "- "
                writeElement(inner, indent: indent + 2, into: &text)
            }
        case .mapping, .sequence, .scalar:
            text += inline(element) + "\n"
        }
    }

    /// A scalar or an empty collection.
    private static func inline(_ node: YAMLNode) -> String {
        switch node.value {
        case .mapping: "{}"
        case .sequence: "[]"
        case .scalar(let text, isPlain: true): node.isNull ? "null" : plainOrQuoted(text)
        case .scalar(let text, isPlain: false): quotedIfNeeded(text)
        }
    }

    /// A plain scalar keeps its meaning without quotes, unless it cannot be written so.
    private static func plainOrQuoted(_ text: String) -> String {
        isSafePlain(text) ? text : quoted(text)
    }

    private static func quotedIfNeeded(_ text: String) -> String {
        isSafePlain(text) && !looksTyped(text) ? text : quoted(text)
    }

    /// Letters, digits and a few signs: what needs no quotes in any place and any version of YAML.
    private static func isSafePlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, isWord(first) || first == UInt8(ascii: "/") || isSign(text) else {
            return false
        }
        return text.utf8.last != UInt8(ascii: ":")
            && text.utf8.allSatisfy { isWord($0) || "-./+".utf8.contains($0) }
    }

    /// `-5`.
    private static func isSign(_ text: String) -> Bool {
        text.utf8.first == UInt8(ascii: "-") && text.utf8.count > 1 && Int(text) != nil
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static let reserved: Set<String> = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]

    /// Whether some reader would take the plain text for a number, a date, a Boolean or null.
    private static func looksTyped(_ text: String) -> Bool {
        guard let first = text.utf8.first else { return true }
        if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) || "-+.".utf8.contains(first) {
            // Addresses and such have letters or more than one dot; anything shorter is quoted.
            let isAddress = text.utf8.count { $0 == UInt8(ascii: ".") } > 1
            return !isAddress
        }
        return reserved.contains(text.lowercased())
    }

    // MARK: JSON

    private static func writeJSON(_ node: YAMLNode, indent: Int, level: Int, into text: inout String) {
        let inner = indent == 0 ? "" : "\n" + String(repeating: " ", count: indent * (level + 1))
        let outer = indent == 0 ? "" : "\n" + String(repeating: " ", count: indent * level)
        switch node.value {
        case .scalar(let scalar, isPlain: true) where isJSONLiteral(node, scalar):
            text += node.isNull ? "null" : node.bool.map { $0 ? "true" : "false" } ?? scalar
        case .scalar(let scalar, _):
            text += quoted(scalar)
        case .sequence(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                text += (index > 0 ? "," : "") + inner
                writeJSON(element, indent: indent, level: level + 1, into: &text)
            }
            text += (elements.isEmpty ? "" : outer) + "]"
        case .mapping(let entries):
            text += "{"
            for (index, entry) in entries.enumerated() {
                text += (index > 0 ? "," : "") + inner + quoted(entry.key) + (indent == 0 ? ":" : ": ")
                writeJSON(entry.node, indent: indent, level: level + 1, into: &text)
            }
            text += (entries.isEmpty ? "" : outer) + "}"
        }
    }

    private static func isJSONLiteral(_ node: YAMLNode, _ text: String) -> Bool {
        node.isNull || node.bool != nil || node.int != nil || isDecimal(text)
    }

    /// `-12.5`: digits on both sides of one point, no leading zero.
    private static func isDecimal(_ text: String) -> Bool {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        let parts = digits.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, let whole = parts.first else { return false }
        return parts.allSatisfy { part in
            !part.isEmpty && part.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        } && (whole.count == 1 || whole.first != UInt8(ascii: "0"))
    }

    /// Double quotes with escapes that JSON and YAML share.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case _
            where scalar.value < 0x20 || (0x7f...0xa0).contains(scalar.value)
                || [0x2028, 0x2029, 0xfeff].contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
