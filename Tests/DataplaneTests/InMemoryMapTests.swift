import KmeshKit
import Testing

@Suite struct InMemoryMapTests {
    private func entries(_ ids: ClosedRange<UInt32>) -> [MapEntry<ServiceMapKey, ServiceValue>] {
        ids.map {
            MapEntry(
                ServiceMapKey(serviceID: $0),
                ServiceValue(policy: 1, flags: 0, tier: 0, endpointCount: $0, affinityTimeout: 0))
        }
    }

    private func map(_ capacity: Int = 3) -> InMemoryMap<ServiceMapKey, ServiceValue> {
        InMemoryMap(name: "m", capacity: capacity)
    }

    @Test func aFullMapTakesUpdatesOnly() throws {
        let map = map()
        try map.upsert(entries(1...3))
        let error = #expect(throws: MapError.self) { try map.upsert(entries(4...4)) }
        #expect(error?.isFull == true && error?.map == "m")
        try map.upsert(entries(2...3))
        try map.remove([ServiceMapKey(serviceID: 1), ServiceMapKey(serviceID: 99)])
        try map.upsert(entries(4...4))
        #expect(try Set(map.contents().entries.keys.map(\.serviceID)) == [2, 3, 4])
    }

    @Test func faultsStrikeWhereTheyShould() throws {
        let map = map(10)
        map.startLog()
        map.setFault(.nth(2))
        #expect(throws: MapError.self) { try map.upsert(entries(1...3)) }
        #expect(map.log == [.upsert(ServiceMapKey(serviceID: 1))])
        try map.upsert(entries(2...3))
        map.setFault(.from(2))
        for _ in 0..<3 { #expect(throws: MapError.self) { try map.upsert(entries(5...6)) } }
        map.setFault(.random(1, seed: 1))
        #expect(throws: MapError.self) { try map.remove([ServiceMapKey(serviceID: 1)]) }
        map.setFault(nil)
        try map.remove([ServiceMapKey(serviceID: 1)])
        #expect(map.writeCount == 10)
    }

    @Test func damagedEntriesAreToldApart() throws {
        let map = map(2)
        try map.upsert(entries(1...2))
        map.damage(ServiceMapKey(serviceID: 1))
        #expect(map.value(of: ServiceMapKey(serviceID: 1)) == nil)
        #expect(try map.contents().damaged == [ServiceMapKey(serviceID: 1)])
        #expect(throws: MapError.self) { try map.upsert(entries(3...3)) }
        try map.upsert(entries(1...1))
        #expect(try map.contents().damaged == [])
    }
}
