/// One of Envoy's messages in protobuf's JSON form: its fields by their names, in either spelling.
internal import KmeshKit

struct Message {
    private struct Field {
        /// As the document spells the name.
        var path: String
        var value: JSONValue
    }

    let path: String
    let problems: ProblemList
    private var fields: [String: Field] = [:]
    /// Fields were there that could not be taken, which has been said.
    private var hasStrangers = false

    /// Says what of the value is not of the schema. `nil` for what is no object.
    init?(_ value: JSONValue, path: String, _ schema: MessageSchema, _ problems: ProblemList) {
        self.path = path
        self.problems = problems
        guard case .object(let members) = value else {
            problems.add(path, "wanted an object, found \(value.kind)")
            return nil
        }
        for member in members {
            let name = Self.camelCased(member.name)
            let place = Self.join(path, member.name)
            if fields[name] != nil {
                problems.add(place, "is there in both spellings: remove one")
            } else if schema.read.contains(name) {
                if member.value != .null { fields[name] = Field(path: place, value: member.value) }
            } else if let remedy = schema.refused[name] {
                if member.value.isUnset { continue }
                problems.add(place, "is not supported: \(remedy)")
                hasStrangers = true
            } else if !schema.harmless.contains(name) {
                let guess = Suggestion.nearest(to: name, among: schema.all)
                let remedy = guess.map { "did you mean \($0)?" } ?? "remove it"
                problems.add(place, "\(schema.name) has no such field; \(remedy)")
                hasStrangers = true
            }
        }
    }

    /// `lb_policy` as `lbPolicy`.
    private static func camelCased(_ name: String) -> String {
        guard name.utf8.contains(UInt8(ascii: "_")) else { return name }
        let parts = name.split(separator: "_", omittingEmptySubsequences: true)
        guard let first = parts.first else { return name }
        return parts.dropFirst().reduce(String(first)) { text, part in
            text + part.prefix(1).uppercased() + part.dropFirst()
        }
    }

    // MARK: Problems

    func fail(_ text: String) { problems.add(path, text) }

    /// Of a field, whether it is there or not.
    func fail(_ name: String, _ text: String) { problems.add(place(of: name), text) }

    func place(of name: String) -> String { fields[name]?.path ?? Self.join(path, name) }

    private static func join(_ path: String, _ name: String) -> String {
        path.isEmpty ? name : "\(path).\(name)"
    }

    func fail(missing name: String) { fail(name, "is missing: add it") }

    private func fail(_ name: String, wanted: String) {
        let found = fields[name].map { $0.value.shown } ?? "nothing"
        fail(name, "wanted \(wanted), found \(found)")
    }

    // MARK: Fields

    func has(_ name: String) -> Bool { fields[name] != nil }

    /// The only one of the names that is there; none or several are a problem.
    func onlyOne(of names: [String]) -> String? {
        let found = names.filter(has)
        if found.count == 1 { return found[0] }
        // It may be what a stranger was meant to be.
        if found.isEmpty, hasStrangers { return nil }
        let list = names.joined(separator: ", ")
        let several = "has \(found.joined(separator: " and ")): keep one"
        fail(found.isEmpty ? "has none of \(list): add one" : several)
        return nil
    }

    func text(_ name: String) -> String? {
        guard let field = fields[name] else { return nil }
        guard let text = field.value.string else {
            fail(name, wanted: "a string")
            return nil
        }
        return text
    }

    /// A text that must be there and must not be empty.
    func requiredText(_ name: String) -> String? {
        guard has(name) else {
            fail(missing: name)
            return nil
        }
        guard let text = text(name) else { return nil }
        guard !text.isEmpty else {
            fail(name, "must not be empty")
            return nil
        }
        return text
    }

    func texts(_ name: String) -> [String] {
        guard let field = fields[name] else { return [] }
        let texts = field.value.array?.map(\.string) ?? [nil]
        guard !texts.contains(nil) else {
            fail(name, wanted: "an array of strings")
            return []
        }
        return texts.compactMap { $0 }
    }

    /// Of responses.
    func statusCodes(_ name: String) -> [UInt16] {
        guard let field = fields[name] else { return [] }
        let codes = field.value.array?.map { $0.integer(UInt16.self) } ?? [nil]
        guard codes.allSatisfy({ $0.map { (100...599).contains($0) } ?? false }) else {
            fail(name, wanted: "an array of numbers from 100 to 599")
            return []
        }
        return codes.compactMap { $0 }
    }

    func flag(_ name: String) -> Bool? {
        guard let field = fields[name] else { return nil }
        guard let value = field.value.bool else {
            fail(name, wanted: "true or false")
            return nil
        }
        return value
    }

    func number(_ name: String, in range: ClosedRange<UInt32>) -> UInt32? {
        guard let field = fields[name] else { return nil }
        guard let number = field.value.integer(UInt32.self), range.contains(number) else {
            fail(name, wanted: "a number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    func port(_ name: String) -> UInt16? {
        guard has(name) else {
            fail(missing: name)
            return nil
        }
        return number(name, in: 1...65535).map { UInt16($0) }
    }

    /// `"10s"` and `"0.5s"`, and numbers of seconds.
    func milliseconds(_ name: String) -> UInt32? {
        guard let field = fields[name] else { return nil }
        var seconds: Double?
        switch field.value {
        case .string(let text) where text.hasSuffix("s") && text.utf8.count <= 24:
            let digits = text.dropLast()
            let isPlain = digits.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
            seconds = isPlain ? Double(digits) : nil
        case .integer(let value): seconds = Double(value)
        case .number(let value): seconds = value
        case .string, .null, .bool, .array, .object: break
        }
        guard let seconds, seconds >= 0, seconds <= 1_000_000 else {
            fail(name, wanted: "a duration from 0s to 1000000s, such as \"10s\" or \"0.5s\"")
            return nil
        }
        // What is not nothing stays so.
        return seconds == 0 ? 0 : max(1, UInt32((seconds * 1000).rounded()))
    }

    /// One of an enumeration's names; `nil` when it is absent or no name.
    func choice<Choice>(_ name: String, _ choices: KeyValuePairs<String, Choice>) -> Choice? {
        guard let text = text(name) else { return nil }
        guard let choice = choices.first(where: { $0.key == text }) else {
            let list = choices.map(\.key).joined(separator: ", ")
            fail(name, "must be one of \(list), not \"\(text.prefix(80))\"")
            return nil
        }
        return choice.value
    }

    func message(_ name: String, _ schema: MessageSchema) -> Message? {
        guard let field = fields[name] else { return nil }
        return Message(field.value, path: field.path, schema, problems)
    }

    func messages(_ name: String, _ schema: MessageSchema) -> [Message] {
        guard let field = fields[name] else { return [] }
        guard let values = field.value.array else {
            fail(name, wanted: "an array")
            return []
        }
        return values.enumerated().compactMap { index, value in
            Message(value, path: "\(field.path)[\(index)]", schema, problems)
        }
    }

    /// The type that `@type` of a field names, without its package.
    func type(of name: String) -> String? {
        guard let text = fields[name]?.value["@type"]?.string else { return nil }
        return text.split(separator: ".").last.map(String.init)
    }

    /// Whether the field's value has, at any depth, a field of one of the names.
    func contains(_ names: Set<String>, in name: String) -> Bool {
        fields[name]?.value.contains { names.contains(Self.camelCased($0)) } ?? false
    }
}

extension JSONValue {
    /// What protobuf writes for a field without a value.
    fileprivate var isUnset: Bool {
        switch self {
        case .null, .bool(false), .integer(0), .string(""), .array([]): true
        case .bool, .integer, .number, .string, .array, .object: false
        }
    }

    fileprivate var shown: String {
        switch self {
        case .string(let text): "\"\(text.prefix(80))\""
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .null, .array, .object: kind
        }
    }

    /// As deep as the parser lets it be.
    fileprivate func contains(_ isWanted: (String) -> Bool) -> Bool {
        switch self {
        case .array(let values): values.contains { $0.contains(isWanted) }
        case .object(let members):
            members.contains { isWanted($0.name) || $0.value.contains(isWanted) }
        case .null, .bool, .integer, .number, .string: false
        }
    }
}
