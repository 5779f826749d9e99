// Which fields a kind has, and what becomes of each: read, ignored, or refused.
internal import KmeshYAML

/// The fields of one level of a kind.
struct Schema: Sendable {
    indirect enum Field: Sendable {
        case read
        /// Means nothing here; nobody looks inside.
        case ignored
        case object(Schema)
        case list(Schema)
        /// Would change where traffic goes, and we cannot do it. The text is the remedy.
        case unsupported(String)
    }

    private let fields: [String: Field]

    /// Names are separated by blanks.
    init(read: String = "", ignored: String = "", nested: [String: Field] = [:]) {
        var fields = nested
        for name in read.split(whereSeparator: \.isWhitespace) { fields[String(name)] = .read }
        for name in ignored.split(whereSeparator: \.isWhitespace) { fields[String(name)] = .ignored }
        self.fields = fields
    }

    /// Refuses what the schema does not have. `kind` and `path` are for the message.
    func check(_ node: YAMLNode, kind: String, path: String = "") throws(DecodeError) {
        if node.isNull { return }
        guard let entries = node.mapping else {
            throw DecodeError(line: node.line, message: "\(path.isEmpty ? kind : path) must be a mapping")
        }
        for entry in entries {
            guard let field = fields[entry.key] else { throw unknown(entry, kind: kind, path: path) }
            switch field {
            case .read, .ignored: continue
            case .object(let schema):
                try schema.check(entry.node, kind: kind, path: Self.join(path, entry.key))
            case .list(let schema):
                let name = Self.join(path, entry.key)
                for element in try entry.node.elements(name) {
                    guard element.mapping != nil else {
                        throw DecodeError(line: element.line, message: "\(name) must be a list of mappings")
                    }
                    try schema.check(element, kind: kind, path: name + "[]")
                }
            case .unsupported(let remedy):
                if entry.node.isNull || entry.node.sequence?.isEmpty == true || entry.node.string == "" { continue }
                throw DecodeError(
                    line: entry.line, message: "\(Self.join(path, entry.key)) is not supported: \(remedy)")
            }
        }
    }

    private func unknown(_ entry: YAMLEntry, kind: String, path: String) -> DecodeError {
        let guess = Suggestion.nearest(to: entry.key, among: fields.keys)
        let remedy = guess.map { "did you mean \($0)?" } ?? "remove it"
        return DecodeError(
            line: entry.line, message: "\(Self.join(path, entry.key)): \(kind) has no such field; \(remedy)")
    }

    private static func join(_ path: String, _ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }
}

/// Finds the word that was meant.
enum Suggestion {
    /// The candidate within two edits, or equal but for case.
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let typed = Array(word.lowercased().utf8.prefix(64))
        let best = candidates.map { (name: $0, distance: distance(typed, Array($0.lowercased().utf8))) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        guard let best, best.distance <= 2, best.distance < typed.count else { return nil }
        return best.name
    }

    /// Insertions, deletions and replacements from one to the other.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
