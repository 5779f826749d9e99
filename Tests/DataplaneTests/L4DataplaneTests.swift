import KmeshKit
import Testing

/// An external address may be a node's own, where other ports answer.
@Test func aSharedAddressHasNoMark() throws {
    var rig = Rig()
    var shared = service("a", ["10.0.0.1", "192.0.2.1"])
    shared.sharedAddresses = [IPAddress(v4: 0xc000_0201)]
    let changes = [put(shared)] + workloads(2, serving: ["a"]).map(put)
    rig.apply(changes)
    #expect(rig.hasMarker("10.0.0.1") && !rig.hasMarker("192.0.2.1"))
    #expect(rig.choices("192.0.2.1").count == 2)
    try rig.restart()
    #expect(rig.apply(changes).writes == 0)
    #expect(try rig.dataplane.verify() == [])
    rig.apply([remove(shared)])
    #expect(rig.maps.frontends.count == 0)
}

@Suite struct L4DataplaneTests {
    @Test func aServiceLeadsToItsEndpoints() throws {
        var rig = Rig()
        let result = rig.apply([
            put(service("a", ["10.0.0.1", "fd00::1"], ports: [80, 81])),
            put(workload("x", ["10.1.0.1", "fd00:1::1"], serving: ["a"])),
            put(workload("y", ["10.1.0.2"], serving: ["a"])),
        ])
        #expect(result.rejected.isEmpty)
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080", "10.1.0.2:8080"])
        #expect(rig.choices("fd00::1") == ["fd00:1::1:8080"])
        #expect(rig.value("10.0.0.1", 81)?.endpointCount == 0)
        #expect(rig.hasMarker("10.0.0.1"))
        #expect(rig.serviceID("10.0.0.1") != rig.serviceID("fd00::1"))
        #expect(rig.maps.counts == MapCounts(frontends: 6, services: 4, slots: 3, tables: 0, endpoints: 3))
        #expect(rig.dataplane.entryCounts == rig.maps.counts)
        #expect(try rig.dataplane.verify() == [])
    }

    @Test func nothingIsLeftOfWhatIsRemoved() throws {
        var rig = Rig()
        let a = service("a", ["10.0.0.1"]), b = service("b", ["10.0.0.2"], policy: .maglev)
        rig.apply([put(a), put(b)] + workloads(5, serving: ["a", "b"]).map(put))
        #expect(rig.maps.counts.tables == 1)
        rig.apply([remove(a), remove(b)])
        #expect(rig.maps.counts == MapCounts())
        #expect(rig.dataplane.entryCounts == MapCounts())
        #expect(rig.dataplane.workloadCount == 5)
    }

    @Test func aMembershipMayComeBeforeItsService() {
        var rig = Rig()
        #expect(rig.apply([put(workload("x", ["10.1.0.1"], serving: ["a"]))]).writes == 0)
        rig.apply([put(service("a", ["10.0.0.1"]))])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        rig.apply([remove(service("a"))])
        rig.apply([put(service("a", ["10.0.0.1"]))])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
    }

    @Test func aSharedAddressIsMarkedUntilItsLastServiceGoes() {
        var rig = Rig()
        let a = service("a", ["10.0.0.1"], ports: [80]), b = service("b", ["10.0.0.1"], ports: [81])
        #expect(rig.apply([put(a), put(b)]).rejected.isEmpty)
        rig.apply([remove(a)])
        #expect(rig.hasMarker("10.0.0.1"))
        rig.apply([remove(b)])
        #expect(!rig.hasMarker("10.0.0.1"))
    }

    @Test func aServiceWithoutPortsIsMarked() throws {
        var rig = Rig()
        let a = service("a", ["10.0.0.1"], ports: [])
        rig.apply([put(a)])
        #expect(rig.hasMarker("10.0.0.1"))
        try rig.restart()
        #expect(rig.apply([put(a)]).writes == 0)
        rig.apply([remove(a)])
        #expect(rig.maps.counts == MapCounts())
    }

    @Test(arguments: steeringPolicies)
    func anEndpointCostsFewWrites(policy: LoadBalancingPolicy) {
        for count in [1, 10, 1000] {
            var rig = Rig()
            let all = workloads(count, serving: ["a"])
            rig.apply([put(service("a", ["10.0.0.1"], policy: policy))] + all.map(put))
            let new = workload("new", ["10.2.0.1"], serving: ["a"])
            #expect(rig.apply([put(new)]).writes <= 4)
            #expect(rig.apply([remove(all[count / 2])]).writes <= 5)
            var changed = new
            changed.memberships[0].health = .terminating
            #expect(rig.apply([put(changed)]).writes <= 8)
            changed.memberships[0].ports[0].targetPort = 9
            #expect(rig.apply([put(changed)]).writes <= 8)
            #expect(rig.apply([put(changed)]).writes == 0)
        }
    }

    @Test func aChangeThatDoesNotMatterWritesNothing() {
        var rig = Rig()
        var x = workload("x", ["10.1.0.1"], serving: ["a"])
        rig.apply([put(service("a", ["10.0.0.1"])), put(x)])
        x.name = "other"
        x.weight = 7
        x.locality.zone = "z"
        #expect(rig.apply([put(x)]).writes == 0)
    }

    @Test func terminatingEndpointsServeOnlyAlone() {
        var rig = Rig()
        let ready = workload("x", ["10.1.0.1"], serving: ["a"])
        let leaving = workload("y", ["10.1.0.2"], serving: ["a"], health: .terminating)
        rig.apply([put(service("a", ["10.0.0.1"])), put(ready), put(leaving)])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        rig.apply([remove(ready)])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.2:8080"])
        #expect(rig.apply([put(ready)]).writes == 3)
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
    }

    @Test func weightsDecideShares() {
        var rig = Rig()
        let x = workload("x", ["10.1.0.1"], serving: ["a"], weight: 3)
        var y = workload("y", ["10.1.0.2"], serving: ["a"], weight: 1)
        rig.apply([put(service("a", ["10.0.0.1"], policy: .weighted)), put(x), put(y)])
        let choices = rig.choices("10.0.0.1")
        #expect(abs(choices.count { $0 == "10.1.0.1:8080" } - 3 * 16381 / 4) <= 1)
        y.weight = 0
        #expect(rig.apply([put(y)]).writes == 2)
        #expect(Set(rig.choices("10.0.0.1")) == ["10.1.0.1:8080"])
        #expect(rig.value("10.0.0.1")?.endpointCount == 1)
        rig.apply([remove(x)])
        #expect(rig.value("10.0.0.1")?.endpointCount == 0)
        #expect(rig.maps.tables.count == 0)
    }

    @Test func nearEndpointsComeFirst() {
        var rig = Rig()
        let preference = LocalityPreference(mode: .failover, scopes: [.region, .zone])
        let far = workload("far", ["10.1.0.1"], serving: ["a"], locality: Locality(region: "r2", zone: "z9"))
        let near = workload(
            "near", ["10.1.0.2"], serving: ["a"], locality: Locality(region: "r1", zone: "z2"))
        let here = workload(
            "here", ["10.1.0.3"], serving: ["a"], locality: Locality(region: "r1", zone: "z1"))
        rig.apply([
            put(service("a", ["10.0.0.1"], locality: preference)), put(far), put(near), put(here),
            .upsert(.node(Node(name: "n1", region: "r1", zone: "z1"))),
        ])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.3:8080"])
        rig.apply([remove(here)])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.2:8080"])
        rig.apply([.upsert(.node(Node(name: "n1", region: "r2", zone: "z9")))])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        rig.apply([.upsert(.node(Node(name: "other", region: "r1", zone: "z2")))])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        rig.apply([.remove(.node("n1"))])
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080", "10.1.0.2:8080"])
    }

    @Test func strictMeansStrict() {
        var rig = Rig()
        let preference = LocalityPreference(mode: .strict, scopes: [.node])
        rig.apply([put(service("a", ["10.0.0.1"], locality: preference))])
        #expect(rig.value("10.0.0.1")?.flags == 0)
        let far = workload("far", ["10.1.0.1"], serving: ["a"], locality: Locality(node: "n2"))
        rig.apply([put(far)])
        #expect(rig.value("10.0.0.1")?.flags == 2)
        #expect(rig.value("10.0.0.1")?.endpointCount == 0)
        #expect(rig.maps.endpoints.count == 0)
        rig.apply([put(workload("here", ["10.1.0.2"], serving: ["a"], locality: Locality(node: "n1")))])
        #expect(rig.value("10.0.0.1")?.flags == 0)
        #expect(rig.choices("10.0.0.1") == ["10.1.0.2:8080"])
    }

    @Test func affinityIsSaid() {
        var rig = Rig()
        rig.apply([put(service("a", ["10.0.0.1"], affinity: 10_800))])
        #expect(rig.value("10.0.0.1")?.flags == 1)
        #expect(rig.value("10.0.0.1")?.affinityTimeout == 10_800)
    }

    @Test func anyPolicyBecomesAnyOther() throws {
        for from in steeringPolicies {
            for to in steeringPolicies {
                var rig = Rig()
                let all = workloads(4, serving: ["a"])
                rig.apply([put(service("a", ["10.0.0.1"], policy: from))] + all.map(put))
                rig.apply([put(service("a", ["10.0.0.1"], policy: to))])
                #expect(Set(rig.choices("10.0.0.1")).count == 4)
                #expect(rig.maps.counts.tables == (to == .random ? 0 : 1))
                #expect(rig.maps.counts.slots == (to == .random ? 4 : 0))
                #expect(try rig.dataplane.verify() == [])
            }
        }
    }

    @Test func twoWorkloadsMayHaveOneAddress() {
        var rig = Rig()
        let x = workload("x", ["10.1.0.1"], serving: ["a"], health: .terminating)
        let y = workload("y", ["10.1.0.1"], serving: ["a"])
        rig.apply([put(service("a", ["10.0.0.1"])), put(x), put(y)])
        #expect(rig.maps.endpoints.count == 1)
        #expect(rig.choices("10.0.0.1") == ["10.1.0.1:8080"])
        #expect(rig.apply([remove(x)]).writes == 0)
    }
}
