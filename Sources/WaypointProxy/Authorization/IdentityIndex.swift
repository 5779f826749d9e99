/// Who the sources of connections are, by their addresses. It exists only while a policy asks for it.
internal import KmeshKit

/// A workload's identity as policies are compared with it.
final class SourceIdentity: Sendable {
    /// The principal: `cluster.local/ns/default/sa/productpage`.
    let text: [UInt8]
    /// The parts of it.
    let namespace: Range<Int>
    let serviceAccount: Range<Int>

    init(_ identity: WorkloadIdentity) {
        text = Array(identity.principal.utf8)
        let account = text.count - identity.serviceAccount.utf8.count
        serviceAccount = account..<text.count
        let end = account - "/sa/".utf8.count
        namespace = (end - identity.namespace.utf8.count)..<end
    }
}

struct IdentityIndex: Sendable {
    /// Of an address that belongs to nobody whose identity is known.
    static let nobody: Int32 = -1
    /// A change copies one part of what a configuration shares with the next, not all of it.
    private static let partCount = 256

    /// Each address with the numbers of its workloads' identities. Several workloads of one address are one
    /// too many, even with the same identity: others may come to it.
    private var parts = [ClaimTable<IPAddress>](repeating: ClaimTable(), count: partCount)
    /// By number; the numbers hold within one configuration only.
    private(set) var identities: [SourceIdentity?] = []
    private var numbers: [WorkloadIdentity: (number: Int32, uses: Int)] = [:]
    private var free: [Int32] = []

    init() {}

    init(_ workloads: WorkloadStore) {
        workloads.forEach { insert($0) }
    }

    /// The number of the identity that connections from `address` have, or `nobody`.
    func find(_ address: IPAddress) -> Int32 {
        parts[Self.part(of: address)].soleOwner(of: address) ?? Self.nobody
    }

    mutating func replace(_ old: Workload?, with new: Workload?) {
        let isSame =
            old?.addresses == new?.addresses && old?.identity == new?.identity
            && old?.sharesAddresses == new?.sharesAddresses
        if isSame { return }
        if let old { remove(old) }
        if let new { insert(new) }
    }

    private mutating func insert(_ workload: Workload) {
        let number = workload.ownIdentity.map { use($0) } ?? Self.nobody
        for address in Set(workload.addresses) {
            parts[Self.part(of: address)].claim(address, for: number)
        }
    }

    private mutating func remove(_ workload: Workload) {
        let number = workload.ownIdentity.flatMap { numbers[$0]?.number } ?? Self.nobody
        for address in Set(workload.addresses) {
            parts[Self.part(of: address)].release(address, from: number)
        }
        if let identity = workload.ownIdentity { release(identity) }
    }

    private mutating func use(_ identity: WorkloadIdentity) -> Int32 {
        if let known = numbers[identity] {
            numbers[identity]?.uses += 1
            return known.number
        }
        let number = free.popLast() ?? Int32(identities.count)
        if Int(number) == identities.count { identities.append(nil) }
        identities[Int(number)] = SourceIdentity(identity)
        numbers[identity] = (number, 1)
        return number
    }

    private mutating func release(_ identity: WorkloadIdentity) {
        guard let known = numbers[identity] else { return }
        numbers[identity]?.uses -= 1
        guard known.uses == 1 else { return }
        numbers[identity] = nil
        identities[Int(known.number)] = nil
        free.append(known.number)
    }

    private static func part(of address: IPAddress) -> Int {
        Int(truncatingIfNeeded: ((address.high ^ address.low) &* 0x9e37_79b9_7f4a_7c15) >> 56)
    }
}

extension Workload {
    /// What its address says: nothing, where others have it too.
    fileprivate var ownIdentity: WorkloadIdentity? { sharesAddresses ? nil : identity }
}
