/// A resource of the configuration as it was given, for people and tools to read.
public struct ResourceDump: Hashable, Sendable {
    public var kind: String
    public var name: String
    /// The most important in a few words.
    public var summary: String
    public var form: JSONValue

    public init(_ resource: MeshResource) {
        (kind, name, summary) = (resource.kind, resource.shortName, resource.summary)
        form = resource.json
    }

    public var json: JSONValue {
        ["kind": .string(kind), "name": .string(name), "summary": .string(summary), "form": form]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        kind = try reader.string("kind")
        name = try reader.string("name")
        summary = try reader.string("summary")
        form = reader.value["form"] ?? .null
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
