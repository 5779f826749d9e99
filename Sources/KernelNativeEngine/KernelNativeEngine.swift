internal import BPFLoader
internal import CKmeshABI
internal import Glibc
public import KmeshKit
internal import Logging
internal import Steering

/// Steers as the dual engine does, and routes HTTP in the kernel: by listeners, routes and clusters.
public enum KernelNativeEngine {
    /// An engine that is not started yet.
    public static func make(
        _ options: EngineOptions, _ authorization: any AuthorizationEnforcer
    ) -> any DataplaneEngine {
        SteeringEngine(definition, options, authorization)
    }

    private static var definition: EngineDefinition {
        EngineDefinition(
            mode: .kernelNative, object: "native", pins: "kernel-native",
            migration: LayoutMigration(to: UInt32(KMESH_NATIVE_LAYOUT_VERSION), by: []),
            hooks: CgroupHook.steering + [.sockRelease], reasons: VerdictReason.kernelNative, counts: true,
            others: ["dual-engine"], afterRemoval: unloadModule, makeLoader: { RoutingLoader($0) })
    }

    /// The programs that used it are gone, but for a moment of the kernel's. Connections that wait for their
    /// requests hold it until their idle timeout, which is 3 s unless a service says otherwise.
    @Sendable private static func unloadModule(_ options: EngineOptions) async {
        guard options.module != .nowhere else { return }
        for _ in 0..<100 {
            do throws(Errno) {
                return try KernelModule.unload()
            } catch {
                guard error == .wouldBlock else {
                    Logger(label: "engine").warning("the kernel module cannot be unloaded: \(error)")
                    return
                }
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
        Logger(label: "engine").warning("the kernel module is still in use: unload it with rmmod kmesh")
    }
}
