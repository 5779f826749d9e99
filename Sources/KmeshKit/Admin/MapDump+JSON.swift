/// The form of map dumps in the admin protocol and over HTTP, and as a table.
extension MapDump {
    /// Writes row by row: a large map never exists as a tree.
    public func write(into writer: inout JSONWriter) {
        begin(in: &writer)
        for row in rows { row.write(into: &writer) }
        end(in: &writer)
    }

    /// Up to the first row.
    public func begin(in writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("map", .string(name))
        writer.member("count", JSONValue(count))
        writer.member("omitted", JSONValue(omitted))
        if let note { writer.member("note", .string(note)) }
        writer.name("entries")
        writer.beginArray()
    }

    /// After the last row.
    public func end(in writer: inout JSONWriter) {
        writer.endArray()
        writer.endObject()
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            try reader.string("map"), rows: try reader.objects("entries", Row.init(json:)),
            count: try reader.optionalInteger("count"), note: try reader.optionalString("note"))
    }

    /// One line for each entry.
    public var table: String {
        var text = "\(name)"
        if let count { text += ": \(count) entries" }
        text += "\n"
        if let note { text += "  \(note)\n" }
        if shown > 0 {
            var table = TextTable(["  KEY", "VALUE"])
            for row in rows { table.add(["  \(row.key.words)", row.value?.words ?? "damaged"]) }
            text += table.text
        }
        if omitted > 0 { text += "  … \(omitted) more; --all shows them\n" }
        return text
    }
}

extension MapDump.Row {
    /// A damaged entry has `null` for its value.
    public func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("key", key)
        writer.member("value", value ?? .null)
        writer.endObject()
    }

    fileprivate init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            reader.value["key"] ?? .null, reader.contains("value") ? reader.value["value"] : nil)
    }
}

extension JSONValue {
    /// `name=value` for each member of an object, on one line.
    package var words: String {
        switch self {
        case .object(let members): members.map { "\($0.name)=\($0.value.word)" }.joined(separator: " ")
        case .array, .null, .bool, .integer, .number, .string: word
        }
    }

    private var word: String {
        switch self {
        case .string(let text): text.contains(" ") || text.isEmpty ? JSONValue.string(text).text() : text
        case .array(let values): "[" + values.map(\.word).joined(separator: ", ") + "]"
        case .object(let members):
            "{" + members.map { "\($0.name): \($0.value.word)" }.joined(separator: ", ") + "}"
        case .null: "-"
        case .bool, .integer, .number: text()
        }
    }
}
