internal import CKmeshABI
internal import KmeshKit

/// `struct kmesh_authz_event`: a connection that was kept out, or would have been.
struct DenialEvent: Sendable {
    let source: SocketAddress
    let destination: SocketAddress
    let reason: VerdictReason?
    /// 0: no single one.
    let policyID: UInt32
    /// Events before it that the program did not write.
    let suppressed: UInt32

    init(_ event: kmesh_authz_event) {
        source = SocketAddress(IPAddress(event.source), event.source_port)
        destination = SocketAddress(IPAddress(event.destination), event.destination_port)
        reason = VerdictReason(rawValue: event.reason)
        policyID = event.policy_id
        suppressed = event.suppressed
    }
}
