import KmeshKit

/// The enrolled workloads of this node, and which of them an address belongs to.
struct DestinationTable: Sendable {
    private(set) var workloads: [LocalWorkload.ID: LocalWorkload] = [:]
    private var byPod: [String: Set<LocalWorkload.ID>] = [:]
    /// In the order in which they were enrolled: an address that was given out again is the last one's.
    private var byAddress: [IPAddress: [LocalWorkload.ID]] = [:]

    subscript(id: LocalWorkload.ID) -> LocalWorkload? { workloads[id] }

    var addresses: some Collection<IPAddress> { byAddress.keys }

    func owner(of address: IPAddress) -> LocalWorkload.ID? { byAddress[address]?.last }

    func isOwned(_ address: IPAddress) -> Bool { byAddress[address] != nil }

    mutating func insert(_ workload: LocalWorkload) {
        remove(workload.id)
        workloads[workload.id] = workload
        byPod[workload.pod.workloadUID, default: []].insert(workload.id)
        for address in Set(workload.addresses) { byAddress[address, default: []].append(workload.id) }
    }

    mutating func remove(_ id: LocalWorkload.ID) {
        guard let old = workloads.removeValue(forKey: id) else { return }
        byPod[old.pod.workloadUID]?.remove(id)
        if byPod[old.pod.workloadUID]?.isEmpty == true { byPod[old.pod.workloadUID] = nil }
        for address in Set(old.addresses) {
            byAddress[address]?.removeAll { $0 == id }
            if byAddress[address]?.isEmpty == true { byAddress[address] = nil }
        }
    }

    /// The addresses of the enrolled pod that the mesh's workload `uid` is.
    func addresses(ofPod uid: String) -> [IPAddress] {
        (byPod[uid] ?? []).flatMap { workloads[$0]?.addresses ?? [] }
    }

    /// Those that the mesh's workload `uid` may be, by its name or one of its addresses.
    func candidates(_ uid: String, _ addresses: [IPAddress]) -> Set<LocalWorkload.ID> {
        var found = byPod[uid] ?? []
        for address in addresses { found.formUnion(byAddress[address] ?? []) }
        return found
    }
}
