import KmeshKit

/// The mesh's workloads, and who is behind an address.
struct SourceTable: Sendable {
    /// What authorization needs to know of a workload.
    struct Record: Hashable, Sendable {
        var name: String
        var namespace: String
        var serviceAccount: String
        var addresses: [IPAddress]
        var sharesAddresses: Bool
        var policies: [PolicyKey]
        var probePorts: [UInt16]

        init(_ workload: Workload) {
            name = workload.name
            namespace = workload.namespace
            serviceAccount = workload.serviceAccount
            addresses = workload.addresses
            sharesAddresses = workload.sharesAddresses
            policies = workload.policies
            probePorts = workload.probePorts
        }

        var identity: WorkloadIdentity? {
            serviceAccount.isEmpty
                ? nil : WorkloadIdentity(namespace: namespace, serviceAccount: serviceAccount)
        }
    }

    /// The workloads that have an address, by uid.
    private enum Claim: Sendable {
        case one(String)
        /// Sorted; at least two.
        case several([String])
    }

    private var records: [String: Record] = [:]
    private var claims: [IPAddress: Claim] = [:]
    /// For each namespace the policies that its workloads name, with how many do.
    private var named: [String: [PolicyKey: Int]] = [:]
    private(set) var nodeAddresses: Set<IPAddress> = []

    subscript(uid: String) -> Record? { records[uid] }

    /// Every address of which something may be known.
    var addresses: some Sequence<IPAddress> {
        [Array(claims.keys), nodeAddresses.filter { claims[$0] == nil }].joined()
    }

    /// `nil` removes the workload. Returns what it was.
    mutating func set(_ uid: String, _ record: Record?) -> Record? {
        let old = records[uid]
        if old == record { return old }
        records[uid] = record
        if let record { count(record, 1) }
        if let old { count(old, -1) }
        let before = Set(old?.addresses ?? []), after = Set(record?.addresses ?? [])
        for address in before.subtracting(after) { remove(uid, from: address) }
        for address in after.subtracting(before) { add(uid, to: address) }
        return old
    }

    /// Returns those that come or go.
    mutating func setNodeAddresses(_ addresses: Set<IPAddress>) -> Set<IPAddress> {
        defer { nodeAddresses = addresses }
        return nodeAddresses.symmetricDifference(addresses)
    }

    /// The workload that has the address. Of several the one that counts for its identity, or the one pod.
    func owner(of address: IPAddress) -> String? {
        let senders = senders(at: address)
        if senders.count == 1 { return senders[0].uid }
        guard senders.isEmpty else { return onlyPod(of: senders)?.uid }
        let uids = uids(at: address)
        return uids.count == 1 ? uids[0] : nil
    }

    /// Who sends from the address; nobody where workloads of several identities or the node do. A pod has its
    /// address, while entries only say so: they do not take its identity away.
    func identity(of address: IPAddress) -> WorkloadIdentity? {
        guard !nodeAddresses.contains(address) else { return nil }
        let senders = senders(at: address)
        let identities = Set(senders.map { $0.record.sharesAddresses ? nil : $0.record.identity })
        if identities.count == 1 { return identities.first ?? nil }
        return onlyPod(of: senders)?.record.identity
    }

    /// A workload of the namespace with a service account that has the address; of several the first by uid.
    func record(at address: IPAddress, in namespace: String) -> Record? {
        uids(at: address).lazy.compactMap { records[$0] }
            .first { $0.namespace == namespace && !$0.serviceAccount.isEmpty }
    }

    /// Policies that workloads of the namespace name.
    func policies(namedIn namespace: String) -> some Sequence<PolicyKey> {
        (named[namespace] ?? [:]).keys
    }

    private func uids(at address: IPAddress) -> [String] {
        switch claims[address] {
        case .one(let uid): [uid]
        case .several(let uids): uids
        case nil: []
        }
    }

    /// The claims to an address that count. What runs as no service account says nothing of who sends, unless
    /// it says that the address is shared.
    private func senders(at address: IPAddress) -> [(uid: String, record: Record)] {
        uids(at: address).compactMap { uid in
            guard let record = records[uid], !record.serviceAccount.isEmpty || record.sharesAddresses
            else { return nil }
            return (uid, record)
        }
    }

    private func onlyPod(of senders: [(uid: String, record: Record)]) -> (uid: String, record: Record)? {
        let pods = senders.filter { $0.uid.hasPrefix("Pod/") && !$0.record.sharesAddresses }
        return pods.count == 1 ? pods[0] : nil
    }

    private mutating func count(_ record: Record, _ step: Int) {
        guard !record.policies.isEmpty else { return }
        for key in record.policies {
            let count = (named[record.namespace]?[key] ?? 0) + step
            named[record.namespace, default: [:]][key] = count == 0 ? nil : count
        }
        if named[record.namespace]?.isEmpty == true { named[record.namespace] = nil }
    }

    private mutating func add(_ uid: String, to address: IPAddress) {
        switch claims[address] {
        case .one(let other): claims[address] = .several([uid, other].sorted())
        case .several(let others): claims[address] = .several((others + [uid]).sorted())
        case nil: claims[address] = .one(uid)
        }
    }

    private mutating func remove(_ uid: String, from address: IPAddress) {
        guard case .several(let uids) = claims[address] else {
            claims[address] = nil
            return
        }
        let others = uids.filter { $0 != uid }
        claims[address] = others.count > 1 ? .several(others) : others.first.map { .one($0) }
    }
}
