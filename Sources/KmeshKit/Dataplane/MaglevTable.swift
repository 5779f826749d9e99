/// Consistent hashing as in "Maglev: A Fast and Reliable Software Network Load Balancer" (Eisenbud et al.,
/// NSDI 2016): every endpoint has a permutation of the table's slots and takes, turn by turn, its next free
/// one. With weights, an endpoint takes turns in proportion. The table depends on the endpoints alone.
internal import CKmeshABI

/// An endpoint's part in a table.
struct TableShare: Hashable, Sendable {
    /// Of the endpoint's address and port.
    let hash: UInt64
    let endpointID: UInt32
    let weight: UInt32
}

/// What a table is filled from. Tables are large, so they are built when they are written or compared.
struct TablePlan: Hashable, Sendable {
    let serviceID: UInt32
    /// Sorted by address and port.
    let shares: [TableShare]

    var key: ServiceMapKey { ServiceMapKey(serviceID: serviceID) }

    /// Equal for plans that make equal tables.
    var digest: UInt64 {
        var hash = StableHash()
        for share in shares {
            hash.combine(share.hash)
            hash.combine(UInt64(share.endpointID) << 32 | UInt64(share.weight))
        }
        return hash.value
    }

    func table() -> TableValue { TableValue(endpointIDs: maglevTable(shares)) }
}

extension TableValue {
    /// Equal for equal tables.
    var digest: UInt64 {
        var hash = StableHash()
        for id in endpointIDs { hash.combine(UInt64(id)) }
        return hash.value
    }
}

/// Fills a table of `KMESH_TABLE_SLOTS` slots with endpoint ids. `shares` has between 1 and that many
/// elements.
func maglevTable(_ shares: [TableShare]) -> [UInt32] {
    let size = UInt32(KMESH_TABLE_SLOTS)
    precondition(!shares.isEmpty && shares.count <= Int(size), "a table has between 1 and \(size) endpoints")
    // The permutation of an endpoint: offset, offset + skip, offset + 2 * skip … modulo the prime size.
    var next = shares.map { UInt32(truncatingIfNeeded: finalized($0.hash ^ 0x6f66_6673_6574) % UInt64(size)) }
    let skips = shares.map {
        UInt32(truncatingIfNeeded: finalized($0.hash ^ 0x736b_6970) % UInt64(size - 1)) + 1
    }
    var table = [UInt32](repeating: 0, count: Int(size))
    for turn in turns(of: slotQuotas(shares.map(\.weight), slots: Int(size))) {
        var slot = next[turn]
        while table[Int(slot)] != 0 {
            slot += skips[turn]
            if slot >= size { slot -= size }
        }
        table[Int(slot)] = shares[turn].endpointID
        next[turn] = slot
    }
    return table
}

/// How many of `slots` each weight gets: the largest remainders round up, so that the sum is exact and no
/// share is wrong by a whole slot. A weight whose share is far below one slot may get none.
func slotQuotas(_ weights: [UInt32], slots: Int) -> [Int] {
    let total = weights.reduce(UInt64(0)) { $0 + UInt64($1) }
    precondition(total > 0, "a table needs a weight above 0")
    let exact = weights.map { (UInt64($0) * UInt64(slots)).quotientAndRemainder(dividingBy: total) }
    var quotas = exact.map { Int($0.quotient) }
    let missing = slots - quotas.reduce(0, +)
    let byRemainder = exact.indices.sorted {
        (exact[$1].remainder, $0) < (exact[$0].remainder, $1)
    }
    for index in byRemainder.prefix(missing) { quotas[index] += 1 }
    return quotas
}

/// The order of turns: there are as many rounds as the largest quota has, and turn `k` of a quota `q` falls
/// into round `k * rounds / q`.
func turns(of quotas: [Int]) -> [Int] {
    let rounds = quotas.max() ?? 0
    var starts = [Int](repeating: 0, count: rounds + 1)
    forEachTurn(quotas, rounds) { _, round in starts[round + 1] += 1 }
    for round in 0..<rounds { starts[round + 1] += starts[round] }
    var order = [Int](repeating: 0, count: starts[rounds])
    forEachTurn(quotas, rounds) { index, round in
        order[starts[round]] = index
        starts[round] += 1
    }
    return order
}

private func forEachTurn(_ quotas: [Int], _ rounds: Int, _ body: (_ index: Int, _ round: Int) -> Void) {
    for (index, quota) in quotas.enumerated() {
        for turn in 0..<quota { body(index, turn * rounds / quota) }
    }
}
