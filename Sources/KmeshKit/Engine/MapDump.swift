/// One map of an engine with its entries in words, and how it is read.

/// A map that can be read at any time; nothing is read before. Whoever reads need not be the engine.
public struct DumpableMap: Sendable {
    public let name: String
    private let reading: @Sendable (Int?) throws(EngineError) -> MapDump

    public init(_ name: String, reading: @escaping @Sendable (Int?) throws(EngineError) -> MapDump) {
        self.name = name
        self.reading = reading
    }

    /// A map whose entries user space cannot see; `why` is one sentence.
    public static func hidden(_ name: String, _ why: String) -> DumpableMap {
        DumpableMap(name) { (_) throws(EngineError) in MapDump(name, rows: [], count: nil, note: why) }
    }

    /// - Parameter limit: of the entries that are shown; nil for all.
    public func read(limit: Int?) throws(EngineError) -> MapDump { try reading(limit) }
}

/// What was in a map. Rows are made as they are asked for: those of a large map never exist all at once.
public struct MapDump: Sendable {
    public struct Row: Hashable, Sendable {
        /// An object with a member for each part.
        public var key: JSONValue
        /// The same; nil for an entry whose seal does not fit.
        public var value: JSONValue?

        public init(_ key: JSONValue, _ value: JSONValue?) {
            (self.key, self.value) = (key, value)
        }
    }

    public let name: String
    /// Entries in the map, also those that are not shown; nil where the kernel does not list them.
    public let count: Int?
    /// What to know about the map's entries.
    public let note: String?
    /// How many rows there are.
    public let shown: Int
    private let makeRow: @Sendable (Int) -> Row

    public init(
        _ name: String, count: Int?, note: String? = nil, shown: Int,
        row: @escaping @Sendable (Int) -> Row
    ) {
        (self.name, self.count, self.note, self.shown) = (name, count, note, shown)
        makeRow = row
    }

    public init(_ name: String, rows: [Row], count: Int?, note: String? = nil) {
        self.init(name, count: count, note: note, shown: rows.count) { rows[$0] }
    }

    public func row(_ index: Int) -> Row { makeRow(index) }

    public var rows: some Sequence<Row> { (0..<shown).lazy.map { row($0) } }

    /// Entries that are not shown.
    public var omitted: Int { max(0, (count ?? shown) - shown) }
}

extension MapDump: Hashable {
    public static func == (left: MapDump, right: MapDump) -> Bool {
        left.name == right.name && left.count == right.count && left.note == right.note
            && left.rows.elementsEqual(right.rows)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(count)
        hasher.combine(shown)
    }
}

/// Which maps, and how much of them.
public struct MapQuery: Hashable, Sendable {
    /// Names with or without `km_`; none: all maps.
    public var names: [String]
    /// Entries that are shown of each map; nil: all.
    public var limit: Int?

    /// What people can read.
    public static let usualLimit = 1000

    public init(_ names: [String] = [], limit: Int? = usualLimit) {
        (self.names, self.limit) = (names, limit)
    }
}

/// Why maps cannot be dumped.
public enum MapDumpError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownMap(String, known: [String])
    case engine(EngineError)

    public var description: String {
        switch self {
        case .unknownMap(let name, let known):
            "there is no map \(name); there are " + known.joined(separator: ", ")
        case .engine(let error): "\(error)"
        }
    }
}

extension [DumpableMap] {
    /// The same as `read`, on a thread of its own: large maps take their time.
    public func readAside(_ query: MapQuery) async throws(MapDumpError) -> [MapDump] {
        let result: Result<[MapDump], MapDumpError>
        do throws(Errno) {
            result = try await DedicatedThread.run("kmesh-dump") { () throws(Errno) in
                do throws(MapDumpError) {
                    return .success(try read(query))
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw .engine(.kernelRefused(operation: "start a thread", errno: error))
        }
        return try result.get()
    }

    /// Reads the maps that the query names, in the order of these.
    public func read(_ query: MapQuery) throws(MapDumpError) -> [MapDump] {
        guard !isEmpty else { throw .engine(.notStarted) }
        for name in query.names where !contains(where: { $0.isCalled(name) }) {
            throw .unknownMap(name, known: map(\.name))
        }
        var dumps: [MapDump] = []
        for map in self where query.names.isEmpty || query.names.contains(where: map.isCalled) {
            do throws(EngineError) {
                dumps.append(try map.read(limit: query.limit))
            } catch {
                throw .engine(error)
            }
        }
        return dumps
    }
}

extension DumpableMap {
    fileprivate func isCalled(_ text: String) -> Bool { name == text || name == "km_\(text)" }
}
