/// The choice among endpoints, without sockets.
import KmeshKit
import Testing

@testable import WaypointProxy

@Suite struct UpstreamSetTests {
    private func address(_ number: Int) -> SocketAddress {
        SocketAddress(IPAddress(v4: 0x0a00_0000 + UInt32(number)), 80)
    }

    private func set(
        _ policy: UpstreamPolicy, count: Int, tiers: [UInt8] = [], weights: [UInt32] = []
    ) -> UpstreamSet {
        var set = UpstreamSet(seed: 1)
        _ = set.apply([cluster(0, (0..<count).map(address), policy: policy, tiers: tiers, weights: weights)])
        return set
    }

    /// How often each endpoint is chosen, by its address's number.
    private func counts(
        _ set: inout UpstreamSet, _ tries: Int, now: Int64 = 0, last: Int32 = -1, count: Int
    ) -> [Int] {
        var counts = [Int](repeating: 0, count: count)
        for number in 0..<tries {
            let endpoint = set.choose(0, hash: mixed(UInt64(number)), now: now, last: last)
            counts[Int(set.endpoints[endpoint].address.low & 0xff)] += 1
        }
        return counts
    }

    @Test(arguments: UpstreamPolicy.allCases)
    func sharesFollowWeights(policy: UpstreamPolicy) {
        var even = set(policy, count: 4)
        for count in counts(&even, 8000, count: 4) { #expect(abs(count - 2000) < 200) }
        var uneven = set(policy, count: 3, weights: [1, 2, 5])
        let shares = counts(&uneven, 8000, count: 3)
        #expect(abs(shares[0] - 1000) < 150 && abs(shares[1] - 2000) < 200 && abs(shares[2] - 5000) < 250)
    }

    @Test func theLessBusyOneIsChosen() {
        var set = set(.leastRequest, count: 2)
        set.endpoints[0].active = 10
        let shares = counts(&set, 4000, count: 2)
        // The busy one is chosen only when both draws are it.
        #expect(abs(shares[0] - 1000) < 150)
    }

    @Test func aClientStaysWithItsEndpoint() {
        var before = set(.sourceHash, count: 10), after = set(.sourceHash, count: 9)
        var moved = 0
        for number in 0..<1000 {
            let hash = mixed(UInt64(number))
            let one = before.endpoints[before.choose(0, hash: hash, now: 0)].address
            let other = after.endpoints[after.choose(0, hash: hash, now: 0)].address
            if one == StreamAddress(address(9)) { continue }
            if one != other { moved += 1 }
        }
        #expect(moved == 0)
    }

    @Test func thoseThatFailArePassedOverForAWhile() {
        var set = set(.roundRobin, count: 3)
        let failed = set.members(of: 0)[1]
        set.noteFailure(failed, now: 0)
        let during = counts(&set, 300, now: 500_000, count: 3)
        #expect(during[1] == 0)
        let first = counts(&set, 300, now: 1_000_000, count: 3)
        #expect(first[1] > 0)
        // One try at a time.
        set.endpoints[failed].isProbed = true
        let probed = counts(&set, 300, now: 1_000_000, count: 3)
        #expect(probed[1] == 0)
        set.noteFailure(failed, now: 1_000_000)
        let again = counts(&set, 300, now: 2_900_000, count: 3)
        #expect(again[1] == 0)
        set.noteSuccess(failed)
        let after = counts(&set, 300, now: 2_900_000, count: 3)
        #expect(after[1] == 100)
        let passedOver = set.clusters[0].passedOver
        #expect(passedOver == 0)
    }

    @Test func laterTiersServeOnlyWhenEarlierOnesFail() {
        var set = set(.leastRequest, count: 4, tiers: [0, 0, 1, 2])
        #expect(counts(&set, 100, count: 4)[2...] == [0, 0])
        set.noteFailure(set.members(of: 0)[0], now: 0)
        #expect(counts(&set, 100, count: 4) == [0, 100, 0, 0])
        set.noteFailure(set.members(of: 0)[1], now: 0)
        #expect(counts(&set, 100, count: 4) == [0, 0, 100, 0])
        for member in set.members(of: 0) { set.noteFailure(member, now: 5) }
        // Everyone failed: somebody is tried all the same.
        #expect(counts(&set, 100, now: 10, count: 4).reduce(0, +) == 100)
    }

    @Test func anotherOneIsPreferredAfterAnAttempt() {
        for policy in UpstreamPolicy.allCases {
            var set = set(policy, count: 2)
            let last = set.members(of: 0)[0]
            #expect(counts(&set, 50, last: last, count: 2) == [0, 50])
            var lonely = self.set(policy, count: 1)
            #expect(counts(&lonely, 5, last: lonely.members(of: 0)[0], count: 1) == [5])
        }
    }

    @Test func whatStaysKeepsItsState() {
        var set = UpstreamSet(seed: 1)
        let first = cluster(0, [address(0), address(1)]), other = cluster(1, [address(0)])
        _ = set.apply([first, other])
        let former = set.members(of: 0)
        set.endpoints[former[1]].connections = 3
        let removed = set.apply([cluster(0, [address(1), address(2)]), other])
        #expect(removed.endpoints == [former[0]])
        let current = set.members(of: 0)
        #expect(current[0] == former[1])
        let connections = set.endpoints[current[0]].connections
        #expect(connections == 3)
        let gone = set.apply([nil, other])
        #expect(gone.clusters == [0] && gone.endpoints.count == 2)
        let isThere = (set.hasCluster(0), set.hasCluster(1), set.hasCluster(2))
        #expect(isThere == (false, true, false))
    }

    @Test func roomGrowsWithTheMesh() {
        var set = UpstreamSet(seed: 1)
        var clusters: [ClusterConfiguration?] = []
        for number in 0..<1000 {
            clusters.append(cluster(Int32(number), (0..<5).map { address(number * 5 + $0) }))
            if number % 100 == 99 { _ = set.apply(clusters) }
        }
        for number in 0..<1000 {
            let members = set.members(of: Int32(number))
            let addresses = members.map { set.endpoints[$0].address.socketAddress }
            #expect(addresses == (0..<5).map { address(number * 5 + $0) })
        }
    }
}
