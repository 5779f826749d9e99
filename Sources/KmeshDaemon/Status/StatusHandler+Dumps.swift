internal import KmeshKit
internal import WaypointProxy

/// What is dumped, by its path.
struct StatusDump {
    /// A mode, or what its configuration consists of.
    let name: String
    let isOfMaps: Bool

    init?(path: String) {
        let (configuration, maps) = ("/debug/config_dump/", "/debug/config_dump/bpf/")
        if path.hasPrefix(maps) {
            (name, isOfMaps) = (String(path.dropFirst(maps.count)), true)
        } else if path.hasPrefix(configuration) {
            (name, isOfMaps) = (String(path.dropFirst(configuration.count)), false)
        } else {
            return nil
        }
    }
}

/// Dumps, which are sent piece by piece.
extension StatusHandler {
    func dump(_ dump: StatusDump, _ request: StatusRequest) async -> StatusResponse {
        if let problem = DumpName.problem(dump.name, running: engine.mode.rawValue) {
            return sentence(404, problem)
        }
        guard dump.isOfMaps else {
            let resources = ResourceDump.sorted(await engine.configuration())
            return StatusResponse(
                "application/json",
                PiecewiseBody("configuration", count: resources.count) { index, writer in
                    writer.value(ResourceDump(resources[index]).json)
                })
        }
        return await maps(request)
    }

    private func maps(_ request: StatusRequest) async -> StatusResponse {
        var query = MapQuery()
        if let names = request.parameter("map") {
            query.names = names.split(separator: ",").map(String.init)
        }
        switch request.parameter("limit") {
        case nil: break
        case "all": query.limit = nil
        case let text?:
            guard let limit = Int(text), limit >= 0 else {
                return sentence(400, "limit=\(text.prefix(40)) is neither a number nor all")
            }
            query.limit = limit
        }
        do throws(MapDumpError) {
            return StatusResponse(
                "application/json", MapsBody(try await engine.dumpableMaps().readAside(query)))
        } catch {
            switch error {
            case .unknownMap: return sentence(404, "\(error)")
            case .engine: return sentence(500, "cannot read the maps: \(error)")
            }
        }
    }
}

/// An object with one list, whose elements are written as the client takes them.
struct PiecewiseBody: StatusBody {
    private static let pieceSize = 32_768

    private let count: Int
    private let write: @Sendable (Int, inout JSONWriter) -> Void
    private var writer = JSONWriter()
    private var index = 0
    private var isDone = false

    init(_ name: String, count: Int, write: @escaping @Sendable (Int, inout JSONWriter) -> Void) {
        (self.count, self.write) = (count, write)
        writer.beginObject()
        writer.name(name)
        writer.beginArray()
    }

    var length: Int? { nil }

    mutating func next() -> [UInt8]? {
        while !isDone, writer.bytes.count < Self.pieceSize {
            if index < count {
                write(index, &writer)
                index += 1
            } else {
                writer.endArray()
                writer.endObject()
                isDone = true
            }
        }
        let piece = writer.takeBytes()
        if !piece.isEmpty { return isDone ? piece + [UInt8(ascii: "\n")] : piece }
        return nil
    }
}

/// The maps one after the other, row by row.
struct MapsBody: StatusBody {
    private static let pieceSize = 32_768

    private let maps: [MapDump]
    private var writer = JSONWriter()
    private var map = 0
    /// The next row of the map; nil before it is begun.
    private var row: Int?
    private var isDone = false

    init(_ maps: [MapDump]) {
        self.maps = maps
        writer.beginObject()
        writer.name("maps")
        writer.beginArray()
    }

    var length: Int? { nil }

    mutating func next() -> [UInt8]? {
        while !isDone, writer.bytes.count < Self.pieceSize { advance() }
        let piece = writer.takeBytes()
        if !piece.isEmpty { return isDone ? piece + [UInt8(ascii: "\n")] : piece }
        return nil
    }

    private mutating func advance() {
        guard map < maps.count else {
            writer.endArray()
            writer.endObject()
            isDone = true
            return
        }
        guard let next = row else {
            maps[map].begin(in: &writer)
            row = 0
            return
        }
        if next < maps[map].shown {
            maps[map].row(next).write(into: &writer)
            row = next + 1
        } else {
            maps[map].end(in: &writer)
            (map, row) = (map + 1, nil)
        }
    }
}
