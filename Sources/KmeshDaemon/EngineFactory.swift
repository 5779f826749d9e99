/// Makes the engine of a mode. The only place that asks for the mode.
internal import AuthzXDP
internal import DualEngine
internal import KernelNativeEngine
public import KmeshKit

public enum EngineFactory {
    /// An engine that is not started yet.
    public static func make(
        _ mode: EngineMode, _ options: EngineOptions, _ authorization: any AuthorizationEnforcer
    ) -> any DataplaneEngine {
        switch mode {
        case .kernelNative: KernelNativeEngine.make(options, authorization)
        case .dualEngine: DualEngine.make(options, authorization)
        }
    }

    /// What every engine enforces policies by.
    public static func authorization(_ options: EngineOptions) -> any AuthorizationEnforcer {
        XDPAuthorizer(options)
    }
}

extension EngineFactory {
    /// All engines, each not started: for removing what any of them left.
    public static func all(_ options: EngineOptions) -> [any DataplaneEngine] {
        EngineMode.allCases.map { make($0, options, authorization(options)) }
    }
}
