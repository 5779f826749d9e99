/// Something that the BPF system call or the loader refused.
public enum BPFError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, and the kernel's answer.
    case failed(String, Errno)
    /// A pinned map has other sizes than this build's.
    case layoutMismatch(map: String, found: String, wanted: String)
    /// Pins of a layout that only a later build knows.
    case newerLayout(pins: String, found: UInt32, wanted: UInt32)
    /// Pins of an earlier layout could not be taken over.
    case notMigrated(pins: String, wanted: UInt32, detail: String)
    /// The kernel lacks something that we need.
    case missingFeature(String, since: String)
    /// The verifier or loader refused an object; `log` is all it said.
    case rejected(object: String, errno: Errno, log: String)

    public var description: String {
        switch self {
        case .failed(let what, let errno):
            let remedy = errno == .notPermitted ? "; this needs root (CAP_BPF and CAP_NET_ADMIN)" : ""
            return "cannot \(what): \(errno)\(remedy)"
        case .layoutMismatch(let map, let found, let wanted):
            return "pinned map \(map) has another layout (\(found), this build has \(wanted)); "
                + "run `kmesh-daemon uninstall` to remove it"
        case .newerLayout(let pins, let found, let wanted):
            return "\(pins) is of a newer build (layout \(found), this build has \(wanted)) and steers on; "
                + "start a build that knows it, or run `kmesh-daemon uninstall` to remove it"
        case .notMigrated(let pins, let wanted, let detail):
            return "cannot take over \(pins) to layout \(wanted): \(detail); its programs steer on as before"
        case .missingFeature(let feature, let since):
            return "the kernel lacks \(feature) (in Linux since \(since))"
        case .rejected(let object, let errno, let log):
            return "the kernel refuses the BPF object \(object): \(errno)\(Self.lastUsefulLine(of: log))"
        }
    }

    /// The verifier ends with statistics; the line before them says what was wrong.
    private static func lastUsefulLine(of log: String) -> String {
        let noise = ["processed ", "verification time", "stack depth", "-- END", "libbpf: failed to load"]
        let lines = log.split(separator: "\n").filter { line in !noise.contains { line.hasPrefix($0) } }
        guard let last = lines.last else { return "" }
        return " (\(last))"
    }
}
