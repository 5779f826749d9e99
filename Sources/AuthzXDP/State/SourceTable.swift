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
    private(set) var nodeAddresses: Set<IPAddress> = []

    subscript(uid: String) -> Record? { records[uid] }

    var count: Int { records.count }

    /// Every address of which something may be known.
    var addresses: some Sequence<IPAddress> {
        [Array(claims.keys), nodeAddresses.filter { claims[$0] == nil }].joined()
    }

    /// `nil` removes the workload. Returns what it was.
    mutating func set(_ uid: String, _ record: Record?) -> Record? {
        let old = records[uid]
        if old == record { return old }
        records[uid] = record
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

    /// The one workload that has the address.
    func owner(of address: IPAddress) -> String? {
        if case .one(let uid) = claims[address] { return uid }
        return nil
    }

    /// The workloads that have the address, by uid.
    func owners(of address: IPAddress) -> [String] {
        switch claims[address] {
        case .one(let uid): [uid]
        case .several(let uids): uids
        case nil: []
        }
    }

    /// Who sends from the address; nobody where several workloads or the node do.
    func identity(of address: IPAddress) -> WorkloadIdentity? {
        guard !nodeAddresses.contains(address), let uid = owner(of: address), let record = records[uid],
            !record.sharesAddresses
        else { return nil }
        return record.identity
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
