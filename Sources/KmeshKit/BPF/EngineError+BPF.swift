/// The kernel's refusals as the daemon shows them.
extension EngineError {
    public init(_ error: BPFError) {
        self =
            switch error {
            case .failed(let what, .notPermitted):
                .missingPrivilege(operation: what, capability: "CAP_BPF and CAP_NET_ADMIN")
            case .failed(let what, let errno):
                .kernelRefused(operation: what, errno: errno)
            case .layoutMismatch(let map, let found, let wanted):
                .layoutMismatch(map: map, wanted: wanted, found: found)
            case .newerLayout, .notMigrated:
                .pinsNotTakenOver(detail: "\(error)")
            case .missingFeature(let feature, let since):
                .unsupportedKernel(feature: feature, minimum: since)
            case .rejected(let object, _, _):
                .loadFailed(program: object, detail: "\(error)")
            }
    }

    public init(_ error: MapError) {
        self =
            switch error.operation {
            case .read: .mapReadFailed(name: error.map, errno: error.errno)
            case .update, .delete: .mapWriteFailed(name: error.map, errno: error.errno)
            }
    }
}
