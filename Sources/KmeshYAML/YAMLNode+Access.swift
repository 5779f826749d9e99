/// Reading a tree by key and type, and building one.
extension YAMLNode {
    /// The value of `key`; `nil` when this is no mapping or has no such key.
    public subscript(key: String) -> YAMLNode? {
        guard case .mapping(let entries) = value else { return nil }
        // By index: a copy of each entry that is looked at would cost more than the comparison.
        for index in entries.indices where entries[index].key == key { return entries[index].node }
        return nil
    }

    public subscript(index: Int) -> YAMLNode? {
        guard case .sequence(let elements) = value, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    public var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = value else { return false }
        return text.isEmpty || text == "null" || text == "~" || text == "Null" || text == "NULL"
    }

    /// The text of a scalar other than null, whatever it looks like: `1.10` stays `1.10`.
    public var string: String? {
        guard case .scalar(let text, _) = value, !isNull else { return nil }
        return text
    }

    /// A decimal integer without quotes. Leading zeros are refused, as versions of YAML disagree about them.
    public var int: Int? {
        guard case .scalar(let text, isPlain: true) = value else { return nil }
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard let first = digits.first, first != UInt8(ascii: "+"),
            digits.count == 1 || first != UInt8(ascii: "0")
        else { return nil }
        return Int(text)
    }

    public var bool: Bool? {
        guard case .scalar(let text, isPlain: true) = value else { return nil }
        switch text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: return nil
        }
    }

    public var sequence: [YAMLNode]? {
        guard case .sequence(let elements) = value else { return nil }
        return elements
    }

    public var mapping: [YAMLEntry]? {
        guard case .mapping(let entries) = value else { return nil }
        return entries
    }

    /// Sets or replaces `key`; does nothing when this is no mapping.
    public mutating func set(_ key: String, _ node: YAMLNode) {
        guard case .mapping(var entries) = value else { return }
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].node = node
        } else {
            entries.append(YAMLEntry(key: key, line: line, node: node))
        }
        value = .mapping(entries)
    }

    /// Removes `key`, and returns what it was.
    @discardableResult
    public mutating func removeKey(_ key: String) -> YAMLNode? {
        guard case .mapping(var entries) = value,
            let index = entries.firstIndex(where: { $0.key == key })
        else { return nil }
        let removed = entries.remove(at: index).node
        value = .mapping(entries)
        return removed
    }
}

extension YAMLNode {
    public static let null = YAMLNode(line: 0, value: .scalar("null", isPlain: true))

    public static func string(_ text: String, line: Int = 0) -> YAMLNode {
        YAMLNode(line: line, value: .scalar(text, isPlain: false))
    }

    public static func int(_ number: Int) -> YAMLNode {
        YAMLNode(line: 0, value: .scalar(String(number), isPlain: true))
    }

    public static func bool(_ isTrue: Bool) -> YAMLNode {
        YAMLNode(line: 0, value: .scalar(isTrue ? "true" : "false", isPlain: true))
    }

    public static func sequence(_ elements: [YAMLNode]) -> YAMLNode {
        YAMLNode(line: 0, value: .sequence(elements))
    }

    /// Keeps the order. Keys must differ.
    public static func mapping(_ entries: KeyValuePairs<String, YAMLNode>) -> YAMLNode {
        YAMLNode(line: 0, value: .mapping(entries.map { YAMLEntry(key: $0.key, line: 0, node: $0.value) }))
    }

    public static func mapping(pairs: [(String, YAMLNode)]) -> YAMLNode {
        YAMLNode(line: 0, value: .mapping(pairs.map { YAMLEntry(key: $0.0, line: 0, node: $0.1) }))
    }
}

extension YAMLNode: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    public init(stringLiteral text: String) { self = .string(text) }
    public init(integerLiteral number: Int) { self = .int(number) }
    public init(booleanLiteral isTrue: Bool) { self = .bool(isTrue) }
}

extension YAMLNode: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: YAMLNode...) { self = .sequence(elements) }
}
