/// Which engine steers this node's traffic. Only the daemon's factory asks for it.
public enum EngineMode: String, Hashable, Sendable, CaseIterable {
    case kernelNative = "kernel-native"
    case dualEngine = "dual-engine"
}

/// What stays in the kernel when an engine stops.
public enum StopDisposition: Hashable, Sendable {
    /// Programs and maps stay attached by their pins: traffic goes on as it is until the next start.
    case keepPinned
    /// Everything that the engine put into the kernel goes.
    case removeAll
}
