/// The programs' own log handler: one line for each event on standard error, a level for each logger.
public import Logging
internal import Synchronization

/// `2026-11-23T01:02:03.456Z info  component: text key=value`
public struct LogOutput: LogHandler {
    private let label: String
    private let levels: LogLevels
    private let write: @Sendable (String) -> Void
    public var metadata: Logger.Metadata = [:]

    /// `write` gets whole lines without their end.
    public init(
        label: String, levels: LogLevels, write: @escaping @Sendable (String) -> Void = StandardError.write
    ) {
        self.label = label
        self.levels = levels
        self.write = write
        levels.register(label)
    }

    /// Set for all loggers of this label: levels belong to labels, so that they can be changed at run time.
    public var logLevel: Logger.Level {
        get { levels[label] }
        set { levels[label] = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let own = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
        let level = event.level.rawValue
        let padding = String(repeating: " ", count: max(0, 5 - level.count))
        var line = "\(WallClock.now().iso8601) \(level)\(padding) \(label): \(singleLine("\(event.message)"))"
        for (key, value) in own.sorted(by: { $0.key < $1.key }) {
            line += " \(key)=\(quotedIfNeeded("\(value)"))"
        }
        write(line)
    }
}

/// The levels of all loggers, shared by their handlers.
public final class LogLevels: Sendable {
    private struct State {
        var standard: Logger.Level
        var byLabel: [String: Logger.Level] = [:]
        var labels: Set<String> = []
    }

    private let state: Mutex<State>

    public init(_ standard: Logger.Level) {
        state = Mutex(State(standard: standard))
    }

    /// The label's own level, else that of everyone.
    public subscript(_ label: String) -> Logger.Level {
        get { state.withLock { $0.byLabel[label] ?? $0.standard } }
        set { state.withLock { $0.byLabel[label] = newValue } }
    }

    /// Of loggers without a level of their own.
    public var standard: Logger.Level { state.withLock { $0.standard } }

    /// Those that were set for one label.
    public var own: [String: Logger.Level] { state.withLock { $0.byLabel } }

    /// Of all loggers that were made, sorted.
    public var labels: [String] { state.withLock { $0.labels.sorted() } }

    func register(_ label: String) { state.withLock { _ = $0.labels.insert(label) } }

    public func setStandard(_ level: Logger.Level) { state.withLock { $0.standard = level } }

    /// Gives every logger this level.
    public func setAll(_ level: Logger.Level) {
        state.withLock { state in
            state.standard = level
            state.byLabel = [:]
        }
    }

    /// Makes every handler created from now on by swift-log one of ours. Once in a process.
    public func install() {
        LoggingSystem.bootstrap { LogOutput(label: $0, levels: self) }
    }
}

/// Line ends would let one event look like two.
private func singleLine(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 }) else { return text }
    return String(text.map { $0 == "\n" || $0 == "\r\n" || $0 == "\r" ? " " : $0 })
}

private func quotedIfNeeded(_ text: String) -> String {
    let isPlain =
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7f }
    return isPlain ? text : JSONValue.string(text).text()
}
