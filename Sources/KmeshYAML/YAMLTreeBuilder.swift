/// Builds trees from events, within the limits of one document or List item.
struct YAMLTreeBuilder {
    private struct Anchored {
        var node: YAMLNode
        var nodes: Int
        var bytes: Int
    }

    let events: YAMLEventParser
    private let limits: YAMLLimits
    private var nodes = 0
    private var bytes = 0
    private var anchors: [String: Anchored] = [:]
    private var anchoredNodes = 0

    init(events: YAMLEventParser, limits: YAMLLimits) {
        self.events = events
        self.limits = limits
    }

    /// Anchors live as long as their document.
    mutating func beginDocument() {
        anchors = [:]
        anchoredNodes = 0
    }

    mutating func beginItem() {
        nodes = 0
        bytes = 0
    }

    /// The tree that begins with `event`. `depth` counts the collections around it and itself.
    mutating func node(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> YAMLNode {
        let line = event.line
        let before = (nodes: nodes, bytes: bytes)
        let value: YAMLNode.Value
        switch event.kind {
        case .scalar(let text, let isPlain):
            try count(nodes: 1, bytes: text.utf8.count, line: line)
            value = .scalar(text, isPlain: isPlain)
        case .mappingStart:
            try enter(depth, line: line)
            value = .mapping(try entries(depth: depth))
        case .sequenceStart:
            try enter(depth, line: line)
            value = .sequence(try elements(depth: depth))
        case .alias(let name):
            return try alias(name, line: line)
        case .documentStart, .documentEnd, .streamEnd, .mappingEnd, .sequenceEnd:
            throw YAMLError(line: line, message: "a value is missing")
        }
        let node = YAMLNode(line: line, value: value)
        if let anchor = event.anchor {
            let copy = Anchored(node: node, nodes: nodes - before.nodes, bytes: bytes - before.bytes)
            try keep(copy, as: anchor, line: line)
        }
        return node
    }

    /// The next key of a mapping that has `entries` so far, or `nil` at the mapping's end.
    /// `seen` belongs to the mapping and is filled only when the mapping is large.
    mutating func key(
        after entries: [YAMLEntry], seen: inout Set<String>
    ) throws(YAMLError) -> (text: String, line: Int)? {
        let event = try events.next()
        switch event.kind {
        case .mappingEnd: return nil
        case .scalar(let text, let isPlain):
            try count(nodes: 1, bytes: text.utf8.count, line: event.line)
            if isPlain, text == "<<" {
                throw YAMLError(
                    line: event.line, message: "the merge key << is not supported: write the fields out")
            }
            if event.anchor != nil {
                throw YAMLError(line: event.line, message: "an anchor on a key is not supported: remove it")
            }
            if isDuplicate(text, of: entries, seen: &seen) {
                let first = entries.first { $0.key == text }?.line ?? event.line
                throw YAMLError(
                    line: event.line, message: "the key \"\(text)\" is already on line \(first): remove one")
            }
            return (text, event.line)
        default: throw YAMLError(line: event.line, message: "a key must be a string")
        }
    }

    /// Above so many entries a set finds duplicate keys.
    private static let linearSearch = 24

    private func isDuplicate(_ key: String, of entries: [YAMLEntry], seen: inout Set<String>) -> Bool {
        if entries.count <= Self.linearSearch {
            for index in entries.indices where entries[index].key == key { return true }
            return false
        }
        if seen.isEmpty { seen = Set(entries.map(\.key)) }
        return !seen.insert(key).inserted
    }

    private mutating func entries(depth: Int) throws(YAMLError) -> [YAMLEntry] {
        var entries: [YAMLEntry] = []
        var seen: Set<String> = []
        while let key = try key(after: entries, seen: &seen) {
            let node = try node(try events.next(), depth: depth + 1)
            entries.append(YAMLEntry(key: key.text, line: key.line, node: node))
        }
        return entries
    }

    private mutating func elements(depth: Int) throws(YAMLError) -> [YAMLNode] {
        var elements: [YAMLNode] = []
        while true {
            let event = try events.next()
            if case .sequenceEnd = event.kind { return elements }
            elements.append(try node(event, depth: depth + 1))
        }
    }

    private mutating func alias(_ name: String, line: Int) throws(YAMLError) -> YAMLNode {
        guard let anchored = anchors[name] else {
            throw YAMLError(line: line, message: "the alias *\(name) has no anchor before it")
        }
        try count(nodes: anchored.nodes, bytes: anchored.bytes, line: line)
        return anchored.node
    }

    private mutating func keep(_ anchored: Anchored, as name: String, line: Int) throws(YAMLError) {
        anchoredNodes += anchored.nodes
        guard anchoredNodes <= limits.anchoredNodes else {
            throw YAMLError(line: line, message: "more than \(limits.anchoredNodes) values under anchors")
        }
        anchors[name] = anchored
    }

    private mutating func enter(_ depth: Int, line: Int) throws(YAMLError) {
        guard depth <= limits.depth else {
            throw YAMLError(line: line, message: "more than \(limits.depth) levels deep")
        }
        try count(nodes: 1, bytes: 0, line: line)
    }

    private mutating func count(nodes more: Int, bytes length: Int, line: Int) throws(YAMLError) {
        nodes += more
        bytes += length
        // An alias stands for many scalars, each of which was within its limit.
        guard more > 1 || length <= limits.scalarBytes else {
            throw YAMLError(line: line, message: "a text of \(length) bytes; at most \(limits.scalarBytes)")
        }
        guard nodes <= limits.nodes, bytes <= limits.textBytes else {
            throw YAMLError(
                line: line,
                message:
                    "one object has more than \(limits.nodes) values or \(limits.textBytes) bytes of text")
        }
    }
}
