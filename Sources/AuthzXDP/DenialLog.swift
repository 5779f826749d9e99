internal import CKmeshABI
internal import KmeshKit
internal import Logging

/// Says who was kept out: a line for each event that the programs leave in their ring.
final class DenialLog {
    private var ring: RingBuffer
    private let log = Logger(label: "authz")

    /// Lines of one call. A flood of denials must not fill the log's disk.
    private static let lineLimit = 50
    /// Events of one call: all that the ring holds.
    private static let eventLimit = Int(KMESH_AUTHZ_RING_BYTES) / MemoryLayout<kmesh_authz_event>.size

    /// What is said besides the addresses.
    struct Names {
        var source: String?
        var destination: String?
        var policy: String?
    }

    init(_ events: borrowing FileDescriptor) throws(BPFError) {
        let copy: FileDescriptor
        do throws(Errno) {
            copy = try events.duplicate()
        } catch {
            throw .failed("open the ring of denials", error)
        }
        ring = try RingBuffer(copy, name: KMESH_MAP_AUTHZ_EVENT)
    }

    /// Writes the lines of what has come since the last call.
    func write(_ names: (DenialEvent) -> Names) {
        var lines = 0, suppressed = 0
        _ = ring.drain(limit: Self.eventLimit) { record in
            guard let event = record.record(as: kmesh_authz_event.self).map(DenialEvent.init) else { return }
            suppressed += Int(event.suppressed)
            guard lines < Self.lineLimit else {
                suppressed += 1
                return
            }
            lines += 1
            write(event, names(event))
        }
        if suppressed > 0 {
            log.warning("\(suppressed) denials more; kmeshctl authz status counts all of them")
        }
    }

    private func write(_ event: DenialEvent, _ names: Names) {
        let isTrial = event.reason == .trialDenied
        log.info(
            isTrial ? "would be denied (dry run)" : "denied",
            metadata: [
                "src.addr": "\(event.source)", "src.workload": "\(names.source ?? "unknown")",
                "dst.addr": "\(event.destination)", "dst.workload": "\(names.destination ?? "unknown")",
                "policy": "\(names.policy ?? (event.reason == .notAllowed ? "none that allows" : "none"))",
                "reason": "\(event.reason?.name ?? "?")",
            ])
    }
}
