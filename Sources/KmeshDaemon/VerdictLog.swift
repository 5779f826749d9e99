/// The log of the programs in the kernel, which people know as `bpf`: at debug level and below, the verdicts
/// on the connections of all enrolled pods are written.
public import KmeshKit
public import Logging

public struct VerdictLog: AdjustableLog {
    public static let name = "bpf"

    private let engine: any DataplaneEngine
    private let levels: LogLevels

    /// Off, whatever the level of all other loggers is.
    public init(_ engine: any DataplaneEngine, _ levels: LogLevels) {
        (self.engine, self.levels) = (engine, levels)
        levels[Self.name] = .info
    }

    public func level() async -> Logger.Level { levels[Self.name] }

    public func setLevel(_ level: Logger.Level) async throws(EngineError) {
        levels[Self.name] = level
        await engine.setTracing(all: level <= .debug)
    }
}
