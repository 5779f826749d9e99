internal import KmeshKit

/// The form of an enrolled workload in `km_enrolled`.
extension LocalWorkload {
    var enrolledEntry: MapEntry<EnrolledKey, EnrolledValue> {
        // A workload without an address has no identity for affinity; steering does not need one.
        let address = addresses.first ?? IPAddress(high: 0, low: 0)
        return MapEntry(
            EnrolledKey(netnsCookie: networkNamespace.cookie), EnrolledValue(address: address))
    }
}
