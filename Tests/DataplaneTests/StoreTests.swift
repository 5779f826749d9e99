import KmeshKit
import Testing

@Suite struct NumericIDsTests {
    @Test func idsAreNotReusedSoon() {
        var ids = NumericIDs()
        #expect([ids.allocate(), ids.allocate(), ids.allocate()] == [1, 2, 3])
        ids.release(2)
        #expect(ids.allocate() == 4)
        #expect(ids.count == 3)
    }

    @Test func idsStartAgainAfterTheLast() {
        var ids = NumericIDs(last: UInt32.max - 2)
        ids.reserve(1)
        #expect(ids.allocate() == UInt32.max - 1)
        #expect(ids.allocate() == UInt32.max)
        #expect(ids.allocate() == 2)
    }

    @Test func reservedIdsAreKept() {
        var ids = NumericIDs()
        ids.reserve(7)
        ids.reserve(3)
        #expect(ids.allocate() == 8)
    }
}

@Suite struct WorkloadStoreTests {
    private func members(_ store: WorkloadStore, _ name: String) -> [String] {
        var names: [String] = []
        store.forEachMember(of: key(name)) { names.append($0.name) }
        return names.sorted()
    }

    @Test func membersFollowMemberships() {
        var store = WorkloadStore()
        #expect(store.upsert(workload("x", ["10.1.0.1"], serving: ["a", "b"])) == [key("a"), key("b")])
        #expect(store.upsert(workload("y", ["10.1.0.2"], serving: ["a"])) == [key("a")])
        #expect(members(store, "a") == ["x", "y"])
        #expect(store.upsert(workload("x", ["10.1.0.1"], serving: ["c"])) == [key("a"), key("b"), key("c")])
        #expect(members(store, "a") == ["y"])
        #expect(members(store, "b") == [])
        #expect(store.remove(uid: "Pod/default/x") == [key("c")])
        #expect(store.remove(uid: "Pod/default/x") == [])
        #expect(store.count == 1)
        #expect(store["Pod/default/y"]?.name == "y")
    }

    @Test func onlyWhatMattersIsReported() {
        var store = WorkloadStore()
        var x = workload("x", ["10.1.0.1"], serving: ["a", "b"])
        #expect(store.upsert(x).count == 2)
        #expect(store.upsert(x) == [])
        x.name = "other"
        #expect(store.upsert(x) == [])
        #expect(store["Pod/default/x"]?.name == "other")
        x.memberships[1].health = .terminating
        #expect(store.upsert(x) == [key("b")])
        x.weight = 3
        #expect(store.upsert(x) == [key("a"), key("b")])
    }

    @Test func aServiceMayBeNamedTwice() {
        var store = WorkloadStore()
        #expect(store.upsert(workload("x", ["10.1.0.1"], serving: ["a", "a"])) == [key("a")])
        #expect(store.memberCount(of: key("a")) == 1)
        #expect(store.remove(uid: "Pod/default/x") == [key("a")])
        #expect(store.memberCount(of: key("a")) == 0)
    }
}
