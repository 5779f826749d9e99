/// The loggers of a program by name, with levels that can be changed while it runs.
public import Logging

public struct Loggers: Sendable {
    /// All loggers that have no level of their own.
    public static let everyone = "default"

    private let levels: LogLevels
    private let others: [String: any AdjustableLog]

    /// - Parameter others: logs that are written elsewhere, by the name that people call them.
    public init(_ levels: LogLevels = LogLevels(.info), others: [String: any AdjustableLog] = [:]) {
        self.levels = levels
        self.others = others
    }

    /// Sorted by name, `default` first.
    public func all() async -> [LoggerLevel] {
        var found = levels.labels.filter { others[$0] == nil }.map {
            LoggerLevel(name: $0, level: levels[$0])
        }
        for (name, log) in others { found.append(LoggerLevel(name: name, level: await log.level())) }
        return [LoggerLevel(name: Self.everyone, level: levels.standard)] + found.sorted { $0.name < $1.name }
    }

    public func level(of name: String) async throws(LoggerError) -> LoggerLevel {
        let all = await all()
        guard let found = all.first(where: { $0.name == name }) else {
            throw .unknownLogger(name, known: all.map(\.name))
        }
        return found
    }

    /// Returns all levels as they are then.
    public func set(_ name: String, to text: String) async throws(LoggerError) -> [LoggerLevel] {
        guard let level = Logger.Level(rawValue: text) else { throw .unknownLevel(text) }
        _ = try await self.level(of: name)
        if name == Self.everyone {
            levels.setStandard(level)
        } else if let other = others[name] {
            do throws(EngineError) {
                try await other.setLevel(level)
            } catch {
                throw .failed(name, error)
            }
        } else {
            levels[name] = level
        }
        return await all()
    }
}

/// A log with a level that is not one of swift-log's: that of programs in the kernel.
public protocol AdjustableLog: Sendable {
    func level() async -> Logger.Level
    func setLevel(_ level: Logger.Level) async throws(EngineError)
}

public struct LoggerLevel: Hashable, Sendable {
    public var name: String
    public var level: Logger.Level

    public init(name: String, level: Logger.Level) {
        self.name = name
        self.level = level
    }

    public var json: JSONValue { ["name": .string(name), "level": .string(level.rawValue)] }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        let text = try reader.string("level")
        guard let level = Logger.Level(rawValue: text) else {
            throw JSONShapeError(path: "\(reader.path).level", problem: "\"\(text)\" is not a level")
        }
        self.init(name: try reader.string("name"), level: level)
    }

    public static func table(_ levels: [LoggerLevel]) -> String {
        var table = TextTable(["LOGGER", "LEVEL"])
        for level in levels { table.add([level.name, level.level.rawValue]) }
        return table.text
    }
}

/// Why a level is not set. Each text lists what there is.
public enum LoggerError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownLogger(String, known: [String])
    case unknownLevel(String)
    case failed(String, EngineError)

    public var description: String {
        switch self {
        case .unknownLogger(let name, let known):
            "there is no logger \"\(name.prefix(80))\"; there are " + known.joined(separator: ", ")
        case .unknownLevel(let text):
            "\"\(text.prefix(80))\" is not a level; there are "
                + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        case .failed(let name, let error): "cannot set the level of \(name): \(error)"
        }
    }
}
