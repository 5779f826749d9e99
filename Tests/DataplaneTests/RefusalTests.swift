import KmeshKit
import Testing

/// What cannot be in force is refused by name, and leaves what ran before.
@Suite struct RefusalTests {
    @Test func theLaterOwnerOfAnAddressIsRefused() {
        var rig = Rig()
        let a = service("a", ["10.0.0.1"]), b = service("b", ["10.0.0.1"], ports: [80, 81])
        rig.apply([put(a), put(workload("x", ["10.1.0.1"], serving: ["a"]))])
        let rejected = rig.apply([put(b)]).rejected
        #expect(rejected.map(\.name) == [.service(key("b"))])
        #expect(rejected.first?.reason.contains("10.0.0.1 with port 80") == true)
        #expect(rejected.first?.reason.contains("Service default/a") == true)
        #expect(rig.serviceID("10.0.0.1", 81) == nil)
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        // It comes into force when the address is free.
        #expect(rig.apply([remove(a)]).rejected.isEmpty)
        #expect(rig.serviceID("10.0.0.1", 81) != nil)
        #expect(rig.dataplane.rejections.isEmpty)
    }

    @Test func whatTheMapsCannotSayIsRefused() {
        var rig = Rig()
        for policy in LoadBalancingPolicy.allCases where !steeringPolicies.contains(policy) {
            let rejected = rig.apply([put(service("a", ["10.0.0.1"], policy: policy))]).rejected
            #expect(rejected.map(\.name) == [.service(key("a"))])
            #expect(rejected.first?.reason.contains("asks for the \(policy.rawValue) policy") == true)
        }
        var limited = service("a", ["10.0.0.1"])
        limited.maxConnections = 7
        #expect(rig.apply([put(limited)]).rejected.first?.reason.contains("at most 7 connections") == true)
        limited.maxConnections = nil
        #expect(rig.apply([put(limited)]).rejected.isEmpty)
    }

    @Test func prioritiesComeBeforeDistances() {
        var rig = Rig()
        let preference = LocalityPreference(mode: .failover, scopes: [.region])
        var near = workload("near", ["10.1.0.1"], serving: ["a"], locality: Locality(region: "r"))
        var far = workload("far", ["10.1.0.2"], serving: ["a"], locality: Locality(region: "q"))
        rig.apply([
            .upsert(.node(Node(name: "n1", region: "r"))),
            put(service("a", ["10.0.0.1"], locality: preference)), put(near), put(far),
        ])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        near.memberships[0].priority = 1
        rig.apply([put(near)])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.2:8080"])
        rig.apply([remove(far)])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        // Six ranks: three priorities of two distances.
        far.memberships[0].priority = 2
        #expect(rig.apply([put(far)]).rejected.isEmpty)
        far.memberships[0].priority = 255
        let rejected = rig.apply([put(far)]).rejected
        #expect(rejected.map(\.name) == [.service(key("a"))])
        #expect(rejected.first?.reason.contains("has endpoints of 512 ranks") == true)
        #expect(rejected.first?.reason.contains("at most 6") == true)
        far.memberships[0].priority = 1
        #expect(rig.apply([put(far)]).rejected.isEmpty)
    }

    @Test func strictLocalityHoldsForEachPriority() {
        var rig = Rig()
        let preference = LocalityPreference(mode: .strict, scopes: [.region])
        var near = workload("near", ["10.1.0.1"], serving: ["a"], locality: Locality(region: "r"))
        near.memberships[0].priority = 1
        let far = workload("far", ["10.1.0.2"], serving: ["a"], locality: Locality(region: "q"))
        rig.apply([
            .upsert(.node(Node(name: "n1", region: "r"))),
            put(service("a", ["10.0.0.1"], locality: preference)), put(near), put(far),
        ])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
    }

    @Test func addressesMayBeExchanged() throws {
        var rig = Rig()
        rig.apply([put(service("a", ["10.0.0.1"])), put(service("b", ["10.0.0.2"]))])
        let ids = [rig.serviceID("10.0.0.1"), rig.serviceID("10.0.0.2")]
        let result = rig.apply([put(service("a", ["10.0.0.2"])), put(service("b", ["10.0.0.1"]))])
        #expect(result.rejected.isEmpty)
        #expect(result.writes == 2)
        #expect([rig.serviceID("10.0.0.2"), rig.serviceID("10.0.0.1")] == ids)
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func aRefusalMayRefuseOthers() throws {
        var rig = Rig()
        rig.apply([
            put(service("a", ["10.0.0.1"])), put(service("b", ["10.0.0.2"])), put(service("c", ["10.0.0.3"])),
        ])
        // a wants what c keeps, so b cannot have what a keeps.
        let rejected = rig.apply([put(service("b", ["10.0.0.1"])), put(service("a", ["10.0.0.3"]))]).rejected
        #expect(Set(rejected.map(\.name)) == [.service(key("a")), .service(key("b"))])
        #expect(rig.serviceID("10.0.0.1") != nil && rig.serviceID("10.0.0.2") != nil)
        #expect(try rig.dataplane.verify() == [])
        rig.apply([remove(service("c"))])
        #expect(rig.serviceID("10.0.0.2") == nil)
        #expect(rig.dataplane.rejections.isEmpty)
    }

    @Test func aLongChainOfExchangesEnds() throws {
        var rig = Rig()
        rig.apply(
            (1...30).map { put(service("s\($0)", ["10.0.0.\($0)"])) } + [put(service("t", ["10.0.0.31"]))])
        // Each wants its neighbour's address, and the last one's neighbour stays.
        let rejected = rig.apply((1...30).map { put(service("s\($0)", ["10.0.0.\($0 + 1)"])) }).rejected
        #expect(rejected.count == 30)
        #expect(try rig.dataplane.verify() == [])
        #expect((1...31).allSatisfy { rig.serviceID("10.0.0.\($0)") != nil })
        rig.apply([remove(service("t"))])
        #expect(rig.dataplane.rejections.isEmpty)
        #expect(rig.serviceID("10.0.0.1") == nil)
    }

    @Test(arguments: ["frontends", "services", "slots", "endpoints"])
    func whatDoesNotFitIsRefusedWhole(map: String) throws {
        var capacities = MapCounts(frontends: 100, services: 100, slots: 100, tables: 100, endpoints: 100)
        switch map {
        case "frontends": capacities.frontends = 5
        case "services": capacities.services = 3
        case "slots": capacities.slots = 5
        default: capacities.endpoints = 5
        }
        var rig = Rig(capacities: capacities)
        let a = service("a", ["10.0.0.1", "fd00::1"]), b = service("b", ["10.0.0.2", "fd00::2"])
        rig.apply([put(a), put(b)] + workloads(3, serving: ["a", "b"]).map(put))
        #expect(rig.dataplane.rejections.count == 1)
        let flag = map == "slots" ? "endpoints" : map
        #expect(
            rig.dataplane.rejections[key("b")]?.contains("raise its capacity with --max-\(flag)") == true)
        #expect(
            rig.serviceID("10.0.0.2") == nil && rig.serviceID("fd00::2") == nil && !rig.hasMarker("10.0.0.2"))
        #expect(rig.choices("10.0.0.1").count == 3)
        #expect(try rig.dataplane.verify() == [])
        rig.apply([remove(a)])
        #expect(rig.choices("10.0.0.2").count == 3)
        #expect(rig.dataplane.rejections.isEmpty)
    }

    @Test func aServiceThatGrowsTooLargeStaysAsItWas() throws {
        var rig = Rig(capacities: MapCounts(frontends: 10, services: 10, slots: 10, tables: 0, endpoints: 3))
        let all = workloads(5, serving: ["a"])
        rig.apply([put(service("a", ["10.0.0.1"])), put(all[0]), put(all[1])])
        let rejected = rig.apply([remove(all[0]), put(all[2]), put(all[3])]).rejected
        #expect(rejected.map(\.name) == [.service(key("a"))])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.0:8080", "10.1.0.1:8080"])
        #expect(rig.apply([remove(all[2])]).rejected.isEmpty)
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080", "10.1.0.3:8080"])
        #expect(rig.apply([put(service("t", ["10.0.0.9"], policy: .maglev))]).rejected.isEmpty)
        let refused = rig.apply([put(workload("z", ["10.9.0.1"], serving: ["t"]))]).rejected
        #expect(refused.first?.reason.contains("km_table") == true)
    }

    /// One that shrinks makes room for one that grows in the same update.
    @Test func roomIsGivenOnInOneUpdate() {
        var rig = Rig(capacities: MapCounts(frontends: 10, services: 10, slots: 4, tables: 0, endpoints: 4))
        let a = workloads(4, "a", serving: ["a"]), b = workloads(4, "b", serving: ["b"])
        rig.apply([put(service("a", ["10.0.0.1"])), put(service("b", ["10.0.0.2"]))] + a.map(put))
        #expect(rig.apply(b.prefix(3).map(put) + a.prefix(3).map(remove)).rejected.isEmpty)
        #expect(rig.choices("10.0.0.2").count == 3)
    }

    /// However long the chain of services is that want what a refused one keeps.
    @Test func othersExchangeAddressesBesideALongChainOfRefusals() {
        var rig = Rig()
        func chained(_ index: Int, at place: Int) -> Change {
            put(service("chain-\(index)", ["10.0.1.\(place)"]))
        }
        rig.apply(
            (0..<30).map { chained($0, at: $0) } + [
                put(service("fixed", ["10.0.1.30"])),
                put(service("a", ["10.0.0.1"])), put(service("b", ["10.0.0.2"])),
            ])
        let (a, b) = (rig.serviceID("10.0.0.1"), rig.serviceID("10.0.0.2"))
        let rejected = rig.apply(
            (0..<30).map { chained($0, at: $0 + 1) } + [
                put(service("a", ["10.0.0.2"])), put(service("b", ["10.0.0.1"])),
            ]
        ).rejected
        #expect(rejected.count == 30)
        #expect(rig.serviceID("10.0.0.2") == a && rig.serviceID("10.0.0.1") == b)
    }

    @Test func impossibleServicesAreRefused() {
        var rig = Rig()
        var twice = service("twice", ["10.0.0.1"])
        twice.ports += twice.ports
        let rejected = rig.apply([
            put(twice), put(service("zero", ["10.0.0.2"], ports: [0])), put(service("any", ["0.0.0.0"])),
            put(
                service(
                    "deep", ["10.0.0.3"],
                    locality: LocalityPreference(
                        mode: .failover, scopes: Array(repeating: .zone, count: 6)))),
            put(service("good", ["10.0.0.4"])),
        ]).rejected
        #expect(Set(rejected.map(\.name)) == Set(["twice", "zero", "any", "deep"].map { .service(key($0)) }))
        #expect(rig.serviceID("10.0.0.4") != nil)
        #expect(rig.dataplane.rejections[key("twice")]?.contains("port 80/TCP twice") == true)
    }

    @Test func moreEndpointsThanSlotsAreRefused() {
        var rig = Rig()
        let many = workloads(16382, serving: ["a"])
        let rejected = rig.apply([put(service("a", ["10.0.0.1"], policy: .maglev))] + many.map(put)).rejected
        #expect(rejected.first?.reason.contains("16382 endpoints") == true)
        #expect(rig.apply([remove(many[0])]).rejected.isEmpty)
        #expect(rig.value("10.0.0.1")?.endpointCount == 16381)
    }
}
