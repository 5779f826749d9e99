import KmeshKit

/// What the maps of single entries hold, as far as it was written or read by us.
struct HeldEntries: Sendable {
    /// `uncertain` where a write failed.
    var sources: [IPAddress: AuthzSourceValue] = [:]
    /// The view that an address leads to; 0 for a damaged entry.
    var destinations: [IPAddress: UInt32] = [:]
    /// Addresses that still lead to where an earlier run let them.
    var untouched: Set<IPAddress> = []
    var probes: Set<AuthzProbeKey> = []
}

extension AuthzSourceValue {
    /// Nothing that is ever wanted, so that it is written again or removed.
    static var uncertain: AuthzSourceValue {
        AuthzSourceValue(identityID: .max, namespaceID: .max, flags: .max)
    }
}
