/// A resource of the configuration as it was given, for people and tools to read.
public struct ResourceDump: Sendable {
    /// A large configuration never exists as JSON all at once: each part is made when it is asked for.
    private enum Source: Sendable {
        case resource(MeshResource)
        case answer(kind: String, name: String, summary: String, form: JSONValue)
    }

    private let source: Source

    public init(_ resource: MeshResource) { source = .resource(resource) }

    public var kind: String {
        switch source {
        case .resource(let resource): resource.kind
        case .answer(let kind, _, _, _): kind
        }
    }

    public var name: String {
        switch source {
        case .resource(let resource): resource.shortName
        case .answer(_, let name, _, _): name
        }
    }

    /// The most important in a few words.
    public var summary: String {
        switch source {
        case .resource(let resource): resource.summary
        case .answer(_, _, let summary, _): summary
        }
    }

    public var form: JSONValue {
        switch source {
        case .resource(let resource): resource.json
        case .answer(_, _, _, let form): form
        }
    }

    public var json: JSONValue {
        ["kind": .string(kind), "name": .string(name), "summary": .string(summary), "form": form]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        source = .answer(
            kind: try reader.string("kind"), name: try reader.string("name"),
            summary: try reader.string("summary"), form: reader.value["form"] ?? .null)
    }

    /// By kind and name, so that two dumps can be compared.
    public static func sorted(_ resources: [MeshResource]) -> [MeshResource] {
        resources.map { (($0.kind, $0.shortName), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
    }

    public static func table(_ resources: [ResourceDump]) -> String {
        var table = TextTable(["KIND", "NAME", "WHAT"])
        for resource in resources { table.add([resource.kind, resource.name, resource.summary]) }
        return table.text
    }
}

extension ResourceDump: Hashable {
    public static func == (left: ResourceDump, right: ResourceDump) -> Bool { left.json == right.json }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(name)
    }
}
