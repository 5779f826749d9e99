/// Makes the engine of a mode. The only place that asks for the mode.
public import KmeshKit

public enum EngineFactory {
    /// An engine that is not started yet.
    public static func make(_ mode: EngineMode, _ options: EngineOptions) throws(EngineError) -> any DataplaneEngine {
        switch mode {
        case .kernelNative: throw .notInThisBuild(mode: mode)
        case .dualEngine: throw .notInThisBuild(mode: mode)
        }
    }
}

extension EngineFactory {
    /// The engines of this build, each not started: for removing what any of them left.
    public static func all(_ options: EngineOptions) throws(EngineError) -> [any DataplaneEngine] {
        var engines: [any DataplaneEngine] = []
        for mode in EngineMode.allCases {
            do throws(EngineError) {
                engines.append(try make(mode, options))
            } catch where error == .notInThisBuild(mode: mode) {
                continue
            }
        }
        return engines
    }
}
