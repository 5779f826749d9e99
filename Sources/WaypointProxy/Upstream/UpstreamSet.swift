/// The clusters and endpoints of one worker, and the choice among them.
internal import KmeshKit

struct UpstreamSet: ~Copyable {
    private(set) var clusters: Slab<ClusterState>
    private(set) var endpoints: Slab<EndpointState>
    private var slots: SlotAllocator
    /// Endpoints' numbers, each cluster's side by side.
    private var members: Slab<Int32>
    /// Beside each member: the sum of weights from the beginning of its tier.
    private var sums: Slab<UInt64>
    private var configured: [ClusterConfiguration?] = []
    var random: RandomNumbers

    /// How long an endpoint that does not accept is passed over, in microseconds: it doubles up to the last.
    private static let firstPause: Int64 = 1_000_000
    private static let lastPause: Int64 = 30_000_000

    init(seed: UInt64) {
        clusters = Slab(capacity: 64)
        endpoints = Slab(capacity: 256)
        slots = SlotAllocator(capacity: 256)
        members = Slab(capacity: 1)
        sums = Slab(capacity: 1)
        random = RandomNumbers(seed: seed)
    }

    var clusterCount: Int32 { Int32(configured.count) }

    func hasCluster(_ number: Int32) -> Bool { number >= 0 && number < clusterCount && clusters[number].isUsed }

    // MARK: Choosing

    /// An endpoint for a new attempt; -1 when the cluster has none. `hash` is the client's, `last` the endpoint
    /// that was tried before: another one is preferred.
    @inline(__always)
    mutating func choose(_ cluster: Int32, hash: UInt64, now: Int64, last: Int32 = -1) -> Int32 {
        let count = clusters[cluster].firstTier
        guard clusters[cluster].passedOver == 0, last < 0, count > 0 else {
            return chooseCarefully(cluster, hash: hash, now: now, last: last)
        }
        return pick(cluster, clusters[cluster].first, count, hash)
    }

    /// Among members that all may be taken.
    @inline(__always)
    private mutating func pick(_ cluster: Int32, _ first: Int32, _ count: Int32, _ hash: UInt64) -> Int32 {
        if count == 1 { return members[first] }
        switch clusters[cluster].policy {
        case .leastRequest:
            let one = sample(cluster, first, count), other = sample(cluster, first, count)
            return isLessBusy(other, than: one) ? other : one
        case .roundRobin: return nextInTurn(cluster, first, count)
        case .random: return sample(cluster, first, count)
        case .sourceHash: return nearest(first, count, hash, now: nil, last: -1)
        }
    }

    /// Some are passed over, or one was tried before.
    private mutating func chooseCarefully(
        _ cluster: Int32, hash: UInt64, now: Int64, last: Int32
    ) -> Int32 {
        let start = clusters[cluster].first
        let end = start + clusters[cluster].count
        var first = start
        while first < end {
            let tier = endpoints[members[first]].tier
            var next = first
            while next < end, endpoints[members[next]].tier == tier { next += 1 }
            let found = pickAvailable(cluster, first, next - first, hash, now, last)
            if found >= 0 { return found }
            first = next
        }
        return leastHopeless(start, end, last)
    }

    private mutating func pickAvailable(
        _ cluster: Int32, _ first: Int32, _ count: Int32, _ hash: UInt64, _ now: Int64, _ last: Int32
    ) -> Int32 {
        if clusters[cluster].policy == .sourceHash { return nearest(first, count, hash, now: now, last: last) }
        // A few times by the policy, so that others keep their shares; then whichever can be had.
        for _ in 0..<4 {
            let number = pick(cluster, first, count, hash)
            if isAvailable(number, now, last) { return number }
        }
        let offset = Int32(truncatingIfNeeded: random.next(below: UInt32(count)))
        for step in 0..<count {
            let number = members[first + (offset + step) % count]
            if isAvailable(number, now, last) { return number }
        }
        return -1
    }

    /// Everyone is passed over: the one whose time is over first, since refusing all requests would be worse than
    /// one more try. Better not the one that was just tried.
    private func leastHopeless(_ start: Int32, _ end: Int32, _ last: Int32) -> Int32 {
        var best: Int32 = -1
        for place in start..<end {
            let number = members[place]
            if number == last, end - start > 1 { continue }
            if best < 0 || endpoints[number].passedOverUntil < endpoints[best].passedOverUntil { best = number }
        }
        return best
    }

    @inline(__always)
    private func isAvailable(_ number: Int32, _ now: Int64, _ last: Int32) -> Bool {
        if number == last { return false }
        guard endpoints[number].isPassedOver else { return true }
        return now >= endpoints[number].passedOverUntil && !endpoints[number].isProbed
    }

    /// By chance, in proportion to the weights.
    @inline(__always)
    private mutating func sample(_ cluster: Int32, _ first: Int32, _ count: Int32) -> Int32 {
        guard clusters[cluster].hasWeights else {
            return members[first &+ Int32(truncatingIfNeeded: random.next(below: UInt32(count)))]
        }
        return member(first, count, at: random.next() % max(1, sums[first + count - 1]))
    }

    /// The member whose share of the weights holds `point`.
    private func member(_ first: Int32, _ count: Int32, at point: UInt64) -> Int32 {
        var low = first, high = first + count - 1
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] > point { high = middle } else { low = middle + 1 }
        }
        return members[low]
    }

    private mutating func nextInTurn(_ cluster: Int32, _ first: Int32, _ count: Int32) -> Int32 {
        clusters[cluster].position &+= 1
        let position = clusters[cluster].position
        guard clusters[cluster].hasWeights else { return members[first + Int32(position % UInt32(count))] }
        // Steps of the golden ratio fill a circle evenly, so each share gets its turns without a run of them.
        let turn = UInt64(position &* 2_654_435_769)
        return member(first, count, at: (turn &* sums[first + count - 1]) >> 32)
    }

    /// Fewer requests for its weight.
    @inline(__always)
    private func isLessBusy(_ one: Int32, than other: Int32) -> Bool {
        Int64(endpoints[one].active) &* Int64(endpoints[other].weight)
            < Int64(endpoints[other].active) &* Int64(endpoints[one].weight)
    }

    /// The endpoint with the highest score for this client (rendezvous hashing): when one comes or goes, only its
    /// own clients move. `now` is `nil` when all may be taken.
    private func nearest(_ first: Int32, _ count: Int32, _ hash: UInt64, now: Int64?, last: Int32) -> Int32 {
        var best: Int32 = -1
        var bestScore = -Double.infinity
        for place in first..<(first + count) {
            let number = members[place]
            if let now, !isAvailable(number, now, last) { continue }
            let score = weighted(mixed(hash ^ endpoints[number].hash), endpoints[number].weight)
            if score > bestScore { (best, bestScore) = (number, score) }
        }
        return best
    }

    // MARK: Health

    /// A connection to it failed.
    mutating func noteFailure(_ number: Int32, now: Int64) {
        let failures = min(endpoints[number].failures, 5)
        endpoints[number].failures = failures + 1
        endpoints[number].passedOverUntil = now + min(Self.lastPause, Self.firstPause << Int64(failures))
        endpoints[number].isProbed = false
        guard !endpoints[number].isPassedOver else { return }
        endpoints[number].isPassedOver = true
        if !endpoints[number].isRemoved { clusters[endpoints[number].cluster].passedOver += 1 }
    }

    /// It accepted a connection.
    mutating func noteSuccess(_ number: Int32) {
        guard endpoints[number].isPassedOver else { return }
        endpoints[number].isPassedOver = false
        endpoints[number].isProbed = false
        endpoints[number].failures = 0
        if !endpoints[number].isRemoved { clusters[endpoints[number].cluster].passedOver -= 1 }
    }

    /// The last use of an endpoint that was removed has ended.
    mutating func release(_ number: Int32) {
        guard endpoints[number].isRemoved, endpoints[number].cluster >= 0,
            endpoints[number].connections == 0, endpoints[number].active == 0
        else { return }
        endpoints[number].cluster = -1
        slots.give(number, endpoints)
    }

    /// The members of a cluster, in their order; for tests and the statistics.
    func members(of cluster: Int32) -> [Int32] {
        (0..<clusters[cluster].count).map { members[clusters[cluster].first + $0] }
    }

    // MARK: Configuration

    /// What a worker has to end after a change.
    struct Removed {
        var endpoints: [Int32] = []
        var clusters: [Int32] = []
    }

    /// Goes over to new clusters. Endpoints whose address stays keep their connections and what is known of them.
    mutating func apply(_ new: [ClusterConfiguration?]) -> Removed {
        var removed = Removed()
        let total = max(new.count, configured.count)
        reserve(clusters: Int32(total), endpoints: new.reduce(0) { $0 + Int32($1?.endpoints.count ?? 0) })
        var current: [[Int32]] = []
        for number in 0..<Int32(total) {
            let (old, next) = (configured.at(number), new.at(number))
            let former = members(of: number)
            current.append(old === next ? former : change(number, next, former, &removed))
        }
        place(current)
        configured = new
        return removed
    }

    /// Lays the members of all clusters side by side.
    private mutating func place(_ current: [[Int32]]) {
        let count = current.reduce(1) { $0 + Int32($1.count) }
        members = Slab(capacity: count)
        sums = Slab(capacity: count)
        var place: Int32 = 0
        for number in current.indices {
            clusters[Int32(number)].first = place
            var sum: UInt64 = 0
            var tier: UInt8 = 0
            for endpoint in current[number] {
                if endpoints[endpoint].tier != tier { (sum, tier) = (0, endpoints[endpoint].tier) }
                sum += UInt64(endpoints[endpoint].weight)
                members[place] = endpoint
                sums[place] = sum
                place += 1
            }
        }
    }

    /// The cluster's endpoints in their new order.
    private mutating func change(
        _ number: Int32, _ next: ClusterConfiguration?, _ former: [Int32], _ removed: inout Removed
    ) -> [Int32] {
        var known: [StreamAddress: Int32] = [:]
        for endpoint in former { known[endpoints[endpoint].address] = endpoint }
        var current: [Int32] = []
        for endpoint in next?.endpoints ?? [] {
            let address = StreamAddress(endpoint.address)
            let slot = known.removeValue(forKey: address) ?? add(address, to: number)
            endpoints[slot].weight = max(1, endpoint.weight)
            endpoints[slot].tier = endpoint.tier
            current.append(slot)
        }
        for endpoint in former where known[endpoints[endpoint].address] == endpoint {
            endpoints[endpoint].isRemoved = true
            removed.endpoints.append(endpoint)
        }
        guard let next else {
            clusters[number].isUsed = false
            (clusters[number].count, clusters[number].firstTier) = (0, 0)
            removed.clusters.append(number)
            return []
        }
        configure(number, next, current)
        return current
    }

    private func configure(_ number: Int32, _ next: ClusterConfiguration, _ current: [Int32]) {
        if !clusters[number].isUsed, clusters[number].connections == 0 {
            clusters[number] = ClusterState()
            clusters[number].position = UInt32(truncatingIfNeeded: mixed(UInt64(number)))
        }
        clusters[number].isUsed = true
        clusters[number].policy = BalancingPolicy(next.policy)
        clusters[number].maximumConnections = next.limits.connections
        clusters[number].maximumWaiting = next.limits.pendingRequests
        clusters[number].count = Int32(current.count)
        let best = current.first.map { endpoints[$0].tier }
        clusters[number].firstTier = Int32(current.prefix { endpoints[$0].tier == best }.count)
        clusters[number].hasWeights = current.contains {
            endpoints[$0].weight != endpoints[current[0]].weight
        }
        clusters[number].passedOver = Int32(current.count { endpoints[$0].isPassedOver })
    }

    private mutating func add(_ address: StreamAddress, to cluster: Int32) -> Int32 {
        let number = slots.take(endpoints)
        precondition(number >= 0, "room was made for all endpoints")
        endpoints[number] = EndpointState()
        endpoints[number].address = address
        endpoints[number].cluster = cluster
        endpoints[number].hash = stableHash(address)
        return number
    }

    private mutating func reserve(clusters count: Int32, endpoints more: Int32) {
        if count > clusters.capacity {
            clusters = Slab(capacity: count * 2, copying: clusters, count: Int32(configured.count))
        }
        guard slots.used + more > endpoints.capacity else { return }
        endpoints = Slab(
            capacity: (slots.used + more) * 2, copying: endpoints, count: slots.highWater)
        slots.grow(to: endpoints.capacity)
    }
}

extension [ClusterConfiguration?] {
    fileprivate func at(_ number: Int32) -> ClusterConfiguration? {
        number < Int32(count) ? self[Int(number)] : nil
    }
}

/// A score in proportion to which endpoints of different weights win: -weight / ln(u), with u from the hash.
private func weighted(_ hash: UInt64, _ weight: UInt32) -> Double {
    let uniform = (Double(hash >> 11) + 0.5) / 9_007_199_254_740_992
    return -Double(weight) / naturalLogarithm(uniform)
}
