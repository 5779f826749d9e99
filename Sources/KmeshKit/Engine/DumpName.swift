/// What dumps are called: by the engine's mode, or by what its configuration consists of.
public enum DumpName {
    public static let all = EngineMode.allCases.flatMap(names)

    /// Why there is no such dump while the mode with this raw value runs; nil when there is.
    public static func problem(_ name: String, running mode: String) -> String? {
        guard all.contains(name) else {
            return "there is no dump \(name); there are \(all.joined(separator: ", "))"
        }
        let own = EngineMode(rawValue: mode).map(names) ?? [mode]
        guard !own.contains(name) else { return nil }
        return "there is no \(name) here, for this daemon runs \(mode); ask for "
            + own.joined(separator: " or ")
    }

    private static func names(of mode: EngineMode) -> [String] {
        switch mode {
        case .kernelNative: [mode.rawValue, "ads"]
        case .dualEngine: [mode.rawValue, "workload"]
        }
    }
}
