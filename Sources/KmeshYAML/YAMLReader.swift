/// Reads YAML or JSON one document at a time, and a Kubernetes List one item at a time.
///
/// The text is never in memory as a whole. A top-level `items` of a mapping whose `kind` ends in `List`, or
/// comes after `items` as kubectl prints it, is handed out item by item. The items of a typed list
/// (`PodList`) carry no kind of their own; they get the list's.
public struct YAMLReader: ~Copyable {
    private enum State {
        case betweenDocuments
        /// Inside `items` of the List that began on this line.
        case items(list: ListHead)
        case ended
        case failed(YAMLError)
    }

    private struct ListHead {
        var line: Int
        var entries: [YAMLEntry]

        var kind: String? { entries.first { $0.key == "kind" }?.node.string }
    }

    private var state = State.betweenDocuments
    private var builder: YAMLTreeBuilder

    public init(bytes: [UInt8], limits: YAMLLimits = YAMLLimits()) {
        builder = YAMLTreeBuilder(
            events: YAMLEventParser(descriptor: -1, bytes: bytes, limits: limits), limits: limits)
    }

    public init(_ text: String, limits: YAMLLimits = YAMLLimits()) {
        self.init(bytes: Array(text.utf8), limits: limits)
    }

    /// Reads from `descriptor`, which the caller keeps open and closes.
    public init(descriptor: Int32, limits: YAMLLimits = YAMLLimits()) {
        precondition(descriptor >= 0, "a descriptor is not negative")
        builder = YAMLTreeBuilder(
            events: YAMLEventParser(descriptor: descriptor, bytes: [], limits: limits), limits: limits)
    }

    /// The next document or item; `nil` at the end. Empty documents are left out. An error is final.
    public mutating func next() throws(YAMLError) -> YAMLNode? {
        do throws(YAMLError) {
            return try step()
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// Whether the text ended without a line end or a closing bracket, as a text does that was cut.
    /// Known once `next` has returned `nil`.
    public var endsInsideLine: Bool {
        guard let last = builder.events.lastByte else { return false }
        return !"\n\r}]".utf8.contains(last)
    }

    private mutating func step() throws(YAMLError) -> YAMLNode? {
        while true {
            switch state {
            case .failed(let error): throw error
            case .ended: return nil
            case .items(let list):
                if let item = try nextItem(of: list) { return item }
            case .betweenDocuments:
                if let document = try nextDocument() { return document }
            }
        }
    }

    /// `nil` when the document was empty, or is a List whose items come next, or the text has ended.
    private mutating func nextDocument() throws(YAMLError) -> YAMLNode? {
        let event = try builder.events.next()
        guard case .documentStart = event.kind else {
            state = .ended
            return nil
        }
        builder.beginDocument()
        builder.beginItem()
        let root = try builder.events.next()
        guard case .mappingStart = root.kind else {
            let node = try builder.node(root, depth: 1)
            try endDocument()
            return node.isNull ? nil : node
        }
        return try continueMapping(ListHead(line: root.line, entries: []), afterItems: false)
    }

    /// Reads entries of the document's mapping up to its end or to `items`.
    private mutating func continueMapping(_ start: ListHead, afterItems: Bool) throws(YAMLError) -> YAMLNode?
    {
        var head = start
        var seen: Set<String> = []
        while let key = try builder.key(after: head.entries, seen: &seen) {
            let event = try builder.events.next()
            if key.text == "items", case .sequenceStart = event.kind, head.kind?.hasSuffix("List") ?? true {
                head.entries.append(YAMLEntry(key: key.text, line: key.line, node: .sequence([])))
                state = .items(list: head)
                return nil
            }
            let node = try builder.node(event, depth: 2)
            head.entries.append(YAMLEntry(key: key.text, line: key.line, node: node))
        }
        try endDocument()
        state = .betweenDocuments
        guard afterItems else { return YAMLNode(line: head.line, value: .mapping(head.entries)) }
        guard head.kind?.hasSuffix("List") == true else {
            throw YAMLError(
                line: head.line,
                message: "a mapping with items but without \"kind: List\": add the kind, or the text was cut")
        }
        return nil
    }

    private mutating func nextItem(of list: ListHead) throws(YAMLError) -> YAMLNode? {
        builder.beginItem()
        let event = try builder.events.next()
        if case .sequenceEnd = event.kind {
            // The state is set again when the mapping ends.
            state = .betweenDocuments
            return try continueMapping(list, afterItems: true)
        }
        let item = try builder.node(event, depth: 3)
        return Self.withKind(of: list, item)
    }

    private static func withKind(of list: ListHead, _ item: YAMLNode) -> YAMLNode {
        guard case .mapping(let entries) = item.value, item["kind"] == nil,
            let kind = list.kind, kind.count > "List".count
        else { return item }
        var named = entries
        let itemKind = YAMLNode.string(String(kind.dropLast("List".count)), line: item.line)
        named.append(YAMLEntry(key: "kind", line: item.line, node: itemKind))
        if item["apiVersion"] == nil, let version = list.entries.first(where: { $0.key == "apiVersion" }) {
            named.append(version)
        }
        return YAMLNode(line: item.line, value: .mapping(named))
    }

    private mutating func endDocument() throws(YAMLError) {
        let event = try builder.events.next()
        guard case .documentEnd = event.kind else {
            throw YAMLError(line: event.line, message: "a document has more than one root")
        }
    }
}
