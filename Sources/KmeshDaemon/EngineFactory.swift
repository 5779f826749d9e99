/// Makes the engine of a mode. The only place that asks for the mode.
internal import AuthzXDP
internal import DualEngine
public import KmeshKit

public enum EngineFactory {
    /// The modes that `make` has an engine for.
    private static let available: [EngineMode] = [.dualEngine]

    /// An engine that is not started yet.
    public static func make(
        _ mode: EngineMode, _ options: EngineOptions, _ authorization: any AuthorizationEnforcer
    ) throws(EngineError) -> any DataplaneEngine {
        switch mode {
        case .kernelNative: throw .notInThisBuild(mode: mode, available: available)
        case .dualEngine: return DualEngine.make(options, authorization)
        }
    }

    /// What every engine enforces policies by.
    public static func authorization(_ options: EngineOptions) -> any AuthorizationEnforcer {
        XDPAuthorizer(options)
    }
}

extension EngineFactory {
    /// The engines of this build, each not started: for removing what any of them left.
    public static func all(_ options: EngineOptions) throws(EngineError) -> [any DataplaneEngine] {
        var engines: [any DataplaneEngine] = []
        for mode in available { engines.append(try make(mode, options, authorization(options))) }
        return engines
    }
}
