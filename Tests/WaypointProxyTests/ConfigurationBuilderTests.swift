/// From services, workloads and routes to what workers go by, step by step.
import KmeshKit
import Testing

@testable import WaypointProxy

@Suite struct ConfigurationBuilderTests {
    // MARK: Clusters

    @Test func aServicePortIsAClusterOfItsWorkloads() throws {
        var builder = makeBuilder()
        let first = builder.apply([
            .upsert(.service(service("reviews", ports: [9080, 9090]))),
            .upsert(.workload(workload("v2", "10.0.0.2", of: "reviews", ports: [9080: 80, 9090: 90]))),
            .upsert(.workload(workload("v1", "10.0.0.1", of: "reviews", ports: [9080: 80]))),
        ])
        #expect(first.clusters.count == 2)
        #expect(try endpoints(first, "reviews", 9080) == ["10.0.0.1:80", "10.0.0.2:80"])
        #expect(try endpoints(first, "reviews", 9090) == ["10.0.0.2:90"])
        let second = builder.apply([.remove(.workload(uid: "v1"))])
        #expect(second.version == first.version + 1)
        #expect(try endpoints(second, "reviews", 9080) == ["10.0.0.2:80"])
        let (old, new) = (try cluster(first, "reviews", 9080), try cluster(second, "reviews", 9080))
        #expect(old.number == new.number)
        #expect(old !== new)
        #expect(try cluster(first, "reviews", 9090) === cluster(second, "reviews", 9090))
    }

    @Test func whatDidNotChangeIsTheSameObject() throws {
        var builder = makeBuilder()
        let changes: [ResourceChange<MeshResource>] = [
            .upsert(.service(service("a", ports: [80]))), .upsert(.service(service("b", ports: [80]))),
            .upsert(.workload(workload("w", "10.0.0.1", of: "a", ports: [80: 80]))),
            .upsert(.routes(routes("a", 80, to: "b"))),
        ]
        let first = builder.apply(changes)
        let second = builder.apply(changes)
        #expect(first.clusters.map(identity) == second.clusters.map(identity))
        #expect(first.tables.map(ObjectIdentifier.init) == second.tables.map(ObjectIdentifier.init))
        let third = builder.apply([.upsert(.workload(workload("w", "10.0.0.2", of: "a", ports: [80: 80])))])
        #expect(first.tables.map(ObjectIdentifier.init) == third.tables.map(ObjectIdentifier.init))
    }

    @Test func clustersKeepTheirNumbers() throws {
        var builder = makeBuilder()
        let first = builder.apply(["a", "b", "c"].map { .upsert(.service(service($0, ports: [80]))) })
        let second = builder.apply([
            .remove(.service(key("b"))), .upsert(.service(service("d", ports: [80, 81]))),
        ])
        for name in ["a", "c"] {
            #expect(try cluster(first, name, 80) === cluster(second, name, 80))
        }
        let gone = try cluster(first, "b", 80).number
        #expect(second.clusters[Int(gone)] == nil)
        for cluster in second.clusters.compactMap({ $0 }) {
            #expect(second.clusters[Int(cluster.number)] === cluster)
        }
        #expect(builder.names.clusterNames.count == second.clusters.count)
    }

    @Test func terminatingEndpointsServeOnlyWithoutReadyOnes() throws {
        var builder = makeBuilder()
        let first = builder.apply([
            .upsert(.service(service("a", ports: [80]))),
            .upsert(.workload(workload("1", "10.0.0.1", of: "a", ports: [80: 80], health: .terminating))),
            .upsert(.workload(workload("2", "10.0.0.2", of: "a", ports: [80: 80]))),
        ])
        #expect(try endpoints(first, "a", 80) == ["10.0.0.2:80"])
        let second = builder.apply([.remove(.workload(uid: "2"))])
        #expect(try endpoints(second, "a", 80) == ["10.0.0.1:80"])
    }

    @Test func nearEndpointsAreABetterTier() throws {
        var builder = makeBuilder { $0.nodeName = "n1" }
        var near = service("a", ports: [80])
        near.locality = LocalityPreference(mode: .failover, scopes: [.region, .zone])
        var changes: [ResourceChange<MeshResource>] = [
            .upsert(.service(near)), .upsert(.node(Node(name: "n1", region: "r", zone: "z1"))),
            .upsert(.node(Node(name: "n2", region: "r", zone: "z2"))),
        ]
        for (number, zone) in ["z2", "z1", "z3"].enumerated() {
            var one = workload("\(number)", "10.0.0.\(number)", of: "a", ports: [80: 80])
            one.locality = Locality(region: zone == "z3" ? "other" : "r", zone: zone)
            changes.append(.upsert(.workload(one)))
        }
        let first = try cluster(builder.apply(changes), "a", 80)
        #expect(first.endpoints.map(\.address.address.description) == ["10.0.0.1", "10.0.0.0", "10.0.0.2"])
        #expect(first.endpoints.map(\.tier) == [0, 1, 2])
        // The node moves.
        let moved = builder.apply([.upsert(.node(Node(name: "n1", region: "r", zone: "z2")))])
        #expect(try cluster(moved, "a", 80).endpoints.first?.address.address.description == "10.0.0.0")
        near.locality?.mode = .strict
        let strict = builder.apply([.upsert(.service(near))])
        #expect(try endpoints(strict, "a", 80) == ["10.0.0.0:80"])
    }

    @Test func aDualStackWorkloadIsOneEndpoint() throws {
        var builder = makeBuilder()
        var both = workload("1", "10.0.0.1", of: "a", ports: [80: 80])
        both.addresses.insert(address("2001:db8::1"), at: 0)
        let built = builder.apply([.upsert(.service(service("a", ports: [80]))), .upsert(.workload(both))])
        #expect(try endpoints(built, "a", 80) == ["10.0.0.1:80"])
    }

    // MARK: Targets

    @Test func frontendsAreTargetsAndNothingElse() throws {
        var builder = makeBuilder()
        let first = builder.apply([
            .upsert(.service(service("a", ports: [80, 81], at: ["10.1.0.1", "2001:db8::1"]))),
            .upsert(.workload(workload("w", "10.0.0.1", of: "a", ports: [80: 80]))),
        ])
        for destination in ["10.1.0.1", "2001:db8::1"] {
            let target = try #require(first.targets.find(SocketAddress(address(destination), 81)))
            #expect(first.targets.targets[Int(target)].kind == .service(backend("a", 81)))
            #expect(first.targets.targets[Int(target)].cluster == (try cluster(first, "a", 81).number))
        }
        #expect(first.targets.find(SocketAddress(address("10.1.0.1"), 82)) == nil)
        #expect(first.targets.find(SocketAddress(address("10.0.0.1"), 80)) == nil)
        let short = DestinationHash.of(SocketAddress(address("2001:db8::1"), 80))
        #expect(first.targets.find(shortForm: short) != nil)
        let second = builder.apply([.upsert(.service(service("a", ports: [80], at: ["10.1.0.2"])))])
        #expect(second.targets.count == 1)
        #expect(second.targets.find(backend("a", 81)) == nil)
        #expect(second.targets.find(SocketAddress(address("10.1.0.1"), 80)) == nil)
        #expect(second.targets.find(shortForm: short) == nil)
        #expect(second.targets.find(SocketAddress(address("10.1.0.2"), 80)) != nil)
    }

    @Test func workloadsWithAWaypointAreTargetsAtEveryPort() throws {
        var builder = makeBuilder()
        var pod = workload("w", "10.0.0.1", of: "a", ports: [80: 80])
        pod.waypoint = WaypointReference(service: key("waypoint"))
        let first = builder.apply([.upsert(.workload(pod))])
        let target = try #require(first.targets.find(SocketAddress(address("10.0.0.1"), 1234)))
        #expect(first.targets.targets[Int(target)].kind == .workload(uid: "w"))
        pod.waypoint = nil
        let second = builder.apply([.upsert(.workload(pod))])
        #expect(second.targets.find(SocketAddress(address("10.0.0.1"), 1234)) == nil)
    }

    @Test func aScopeLeavesOnlyWhatAsksForTheWaypoint() throws {
        var builder = makeBuilder { $0.waypoint = key("waypoint") }
        var mine = service("mine", ports: [80], at: ["10.1.0.1"])
        mine.waypoint = WaypointReference(service: key("waypoint"))
        var other = service("other", ports: [80], at: ["10.1.0.2"])
        other.waypoint = WaypointReference(service: key("another"))
        let none = service("none", ports: [80], at: ["10.1.0.3"])
        let first = builder.apply([mine, other, none].map { .upsert(.service($0)) })
        #expect(first.targets.find(SocketAddress(address("10.1.0.1"), 80)) != nil)
        for place in ["10.1.0.2", "10.1.0.3"] {
            #expect(first.targets.find(SocketAddress(address(place), 80)) == nil)
        }
        #expect(first.targets.find(backend("none", 80)) != nil, "for listeners of its own")
        #expect(first.clusters.count == 3, "routes may lead anywhere")
    }

    @Test func aWaypointIsNoTargetOfItself() throws {
        var builder = makeBuilder()
        var user = service("a", ports: [80], at: ["10.1.0.1"])
        let waypoint = service("waypoint", ports: [15019], at: ["10.1.0.9"])
        let place = SocketAddress(address("10.1.0.9"), 15019)
        #expect(builder.apply([.upsert(.service(waypoint))]).targets.find(place) != nil)
        user.waypoint = WaypointReference(service: key("waypoint"))
        #expect(builder.apply([.upsert(.service(user))]).targets.find(place) == nil)
        user.waypoint = nil
        #expect(builder.apply([.upsert(.service(user))]).targets.find(place) != nil)
    }

    @Test func ofTwoWithOneAddressTheOtherTakesOver() throws {
        var builder = makeBuilder()
        let place = SocketAddress(address("10.1.0.1"), 80)
        let both = builder.apply(
            ["a", "b"].map { .upsert(.service(service($0, ports: [80], at: ["10.1.0.1"]))) })
        #expect(both.targets.find(shortForm: DestinationHash.of(place)) == nil, "ambiguous")
        let first = try #require(both.targets.find(place))
        #expect(both.targets.targets[Int(first)].kind == .service(backend("a", 80)))
        let left = builder.apply([.remove(.service(key("a")))])
        let second = try #require(left.targets.find(place))
        #expect(left.targets.targets[Int(second)].kind == .service(backend("b", 80)))
        #expect(left.targets.find(shortForm: DestinationHash.of(place)) == second)
    }

    // MARK: Cost

    /// A small fraction of what the first step costs, whatever the mesh's size; far below what fails here.
    @Test func aChangedEndpointCostsLittle() throws {
        var builder = makeBuilder()
        var changes: [ResourceChange<MeshResource>] = []
        for number in 0..<2_000 {
            let place = "10.\(1 + number / 65_536).\(number / 256 % 256).\(number % 256)"
            changes.append(.upsert(.service(service("s\(number)", ports: [80], at: [place]))))
            for pod in 0..<10 {
                var one = workload(
                    "\(number)-\(pod)", "11.\(pod).\(number / 256).\(number % 256)",
                    of: "s\(number)", ports: [80: 80])
                one.waypoint = WaypointReference(service: key("waypoint"))
                changes.append(.upsert(.workload(one)))
            }
        }
        let clock = ContinuousClock()
        var last = builder.apply(changes)
        var best = Duration.seconds(1000)
        for step in 0..<20 {
            var moved = workload("7-\(step % 10)", "12.0.0.\(step)", of: "s7", ports: [80: 80])
            moved.waypoint = WaypointReference(service: key("waypoint"))
            let before = last
            best = min(best, clock.measure { last = builder.apply([.upsert(.workload(moved))]) })
            let changed = zip(before.clusters, last.clusters).count { identity($0) != identity($1) }
            #expect(changed == 1)
        }
        #expect(best < .milliseconds(50), "\(best)")
    }
}
