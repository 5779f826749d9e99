internal import CKmeshABI
public import KmeshKit
internal import Steering

/// Steers at L4 with eBPF at the socket hooks, by services and workloads. HTTP is the waypoints'.
public enum DualEngine {
    /// An engine that is not started yet.
    public static func make(
        _ options: EngineOptions, _ authorization: any AuthorizationEnforcer
    ) -> any DataplaneEngine {
        SteeringEngine(definition, options, authorization)
    }

    private static var definition: EngineDefinition {
        EngineDefinition(
            mode: .dualEngine, object: "dual", pins: "dual-engine", migration: .dualEngine,
            others: ["kernel-native"])
    }
}
