// Which fields a kind has, and what becomes of each: read, ignored, or refused.
internal import KmeshKit
internal import KmeshYAML

/// The fields of one level of a kind.
struct Schema: Sendable {
    indirect enum Field: Sendable {
        case read
        /// Means nothing here; nobody looks inside.
        case ignored
        case object(Schema)
        case list(Schema)
        /// A mapping whose keys are the writer's own.
        case map(Schema)
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

    /// Refuses what the schema does not have. `kind` is for the message.
    func check(_ node: YAMLNode, kind: String) throws(DecodeError) {
        do throws(Violation) {
            try inspect(node, kind: kind)
        } catch {
            let subject = error.path.isEmpty ? kind : error.path
            throw DecodeError(line: error.line, message: subject + error.message)
        }
    }

    /// What is wrong, with the path from where it was found; whoever is above adds its own part of the path.
    private struct Violation: Error {
        var line: Int
        var path: String
        var message: String

        func below(_ parent: String) -> Violation {
            Violation(line: line, path: path.isEmpty ? parent : "\(parent).\(path)", message: message)
        }
    }

    private func inspect(_ node: YAMLNode, kind: String) throws(Violation) {
        if node.isNull { return }
        guard let entries = node.mapping else {
            throw Violation(line: node.line, path: "", message: " must be a mapping")
        }
        for entry in entries {
            guard let field = fields[entry.key] else { throw unknown(entry, kind: kind) }
            switch field {
            case .read, .ignored: continue
            case .object(let schema): try schema.inspect(entry, kind: kind)
            case .map(let schema):
                do throws(Violation) {
                    try Self.inspectValues(of: entry.node, schema, kind: kind)
                } catch {
                    throw error.below(entry.key)
                }
            case .list(let schema):
                try schema.inspectElements(of: entry, kind: kind)
            case .unsupported(let remedy):
                if entry.node.isNull || entry.node.sequence?.isEmpty == true || entry.node.string == "" {
                    continue
                }
                throw Violation(line: entry.line, path: entry.key, message: " is not supported: \(remedy)")
            }
        }
    }

    private func inspect(_ entry: YAMLEntry, kind: String) throws(Violation) {
        do throws(Violation) {
            try inspect(entry.node, kind: kind)
        } catch {
            throw error.below(entry.key)
        }
    }

    private static func inspectValues(
        of node: YAMLNode, _ schema: Schema, kind: String
    ) throws(Violation) {
        if node.isNull { return }
        guard let entries = node.mapping else {
            throw Violation(line: node.line, path: "", message: " must be a mapping")
        }
        for entry in entries { try schema.inspect(entry, kind: kind) }
    }

    private func inspectElements(of entry: YAMLEntry, kind: String) throws(Violation) {
        if entry.node.isNull { return }
        guard let elements = entry.node.sequence else {
            throw Violation(line: entry.line, path: entry.key, message: " must be a list")
        }
        for element in elements {
            guard element.mapping != nil else {
                throw Violation(line: element.line, path: entry.key, message: " must be a list of mappings")
            }
            do throws(Violation) {
                try inspect(element, kind: kind)
            } catch {
                throw error.below(entry.key + "[]")
            }
        }
    }

    private func unknown(_ entry: YAMLEntry, kind: String) -> Violation {
        let guess = Suggestion.nearest(to: entry.key, among: fields.keys)
        let remedy = guess.map { "did you mean \($0)?" } ?? "remove it"
        return Violation(
            line: entry.line, path: entry.key, message: ": \(kind) has no such field; \(remedy)")
    }
}
