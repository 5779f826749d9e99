/// Why an engine cannot do what it was asked. Each text names the object and, where there is one, the remedy.
public enum EngineError: Error, Hashable, Sendable {
    /// `minimum` is the kernel version that has the feature, for people; the feature itself was probed.
    case unsupportedKernel(feature: String, minimum: String)
    case missingPrivilege(operation: String, capability: String)
    /// `detail` is the last useful line of the verifier's log, or the error's text.
    case loadFailed(program: String, detail: String)
    case attachFailed(program: String, target: String, detail: String)
    case pinFailed(path: String, detail: String)
    /// A pinned map of an earlier run is not laid out as this build needs it.
    case layoutMismatch(map: String, wanted: String, found: String)
    /// Pins of another layout, which stay in force. `detail` names them and the remedy.
    case pinsNotTakenOver(detail: String)
    case mapReadFailed(name: String, errno: Errno)
    case mapWriteFailed(name: String, errno: Errno)
    case mapFull(name: String, capacity: Int, flag: String)
    /// An operation that no other case names.
    case kernelRefused(operation: String, errno: Errno)
    case notStarted
}

extension EngineError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedKernel(let feature, let minimum):
            "this kernel lacks \(feature); Linux \(minimum) or later has it"
        case .missingPrivilege(let operation, let capability):
            "cannot \(operation): needs \(capability); run the daemon as root"
        case .loadFailed(let program, let detail):
            "cannot load program \(program): \(detail)"
        case .attachFailed(let program, let target, let detail):
            "cannot attach program \(program) to \(target): \(detail)"
        case .pinFailed(let path, let detail):
            "cannot pin \(path): \(detail)"
        case .layoutMismatch(let map, let wanted, let found):
            "pinned map \(map) has \(found) and this build needs \(wanted); "
                + "end the other daemon and run `kmesh-daemon uninstall`"
        case .pinsNotTakenOver(let detail):
            detail
        case .mapReadFailed(let name, let errno):
            "cannot read map \(name): \(errno)"
        case .mapWriteFailed(let name, let errno):
            "cannot write map \(name): \(errno)"
        case .mapFull(let name, let capacity, let flag):
            "map \(name) is full with \(capacity) entries; start the daemon with a larger \(flag)"
        case .kernelRefused(let operation, let errno):
            "cannot \(operation): \(errno)"
        case .notStarted:
            "the engine is not started"
        }
    }
}
