// Changes maps behind the data plane's back.
import KmeshKit

enum Damage: CaseIterable {
    case removed, damaged, changed, added
}

extension InMemoryL4Maps {
    /// Does the same to every entry of a map, or adds two that do not belong there; how many differ.
    func damageAll(_ damage: Damage, in map: String) throws -> Int? {
        switch map {
        case frontends.name: try frontends.change(damage, .other)
        case services.name: try services.change(damage, .other)
        case slots.name: try slots.change(damage, .other)
        case tables.name: try tables.change(damage, .other)
        case endpoints.name: try endpoints.change(damage, .other)
        case waypoints.name: try waypoints.change(damage == .changed ? .removed : damage, .other)
        default: nil
        }
    }

    /// Changes one entry of any map.
    func damageOne(_ random: inout SplitMix64) throws {
        let damage = Damage.allCases.randomElement(using: &random) ?? .removed
        switch Int.random(in: 0..<6, using: &random) {
        case 0: try frontends.change(damage, .other, &random)
        case 1: try services.change(damage, .other, &random)
        case 2: try slots.change(damage, .other, &random)
        case 3: try tables.change(damage, .other, &random)
        case 4: try endpoints.change(damage, .other, &random)
        default: try waypoints.change(damage == .changed ? .removed : damage, .other, &random)
        }
    }
}

/// Keys and values that no mesh of these tests has.
struct Foreign<Key: MapWords, Value: MapWords> {
    let keys: [Key]
    let value: Value
}

extension Foreign<FrontendKey, FrontendValue> {
    static var other: Self {
        let address = IPAddress(v4: 0x0b09_0901)
        return Self(
            keys: [FrontendKey(address: address, port: 7, transport: .udp), FrontendKey(markerOf: address)],
            value: FrontendValue(serviceID: 777))
    }
}

extension Foreign<ServiceMapKey, ServiceValue> {
    static var other: Self {
        Self(
            keys: [ServiceMapKey(serviceID: 777), ServiceMapKey(serviceID: 778)],
            value: ServiceValue(policy: 1, flags: 0, tier: 3, endpointCount: 9, affinityTimeout: 4))
    }
}

extension Foreign<SlotKey, SlotValue> {
    static var other: Self {
        Self(
            keys: [SlotKey(serviceID: 1, tier: 11, index: 0), SlotKey(serviceID: 777, tier: 0, index: 0)],
            value: SlotValue(endpointID: 4242))
    }
}

extension Foreign<ServiceMapKey, TableValue> {
    static var other: Self {
        Self(
            keys: [ServiceMapKey(serviceID: 777), ServiceMapKey(serviceID: 778)],
            value: TableValue(endpointIDs: [UInt32](repeating: 4242, count: 16381)))
    }
}

extension Foreign<EndpointKey, EndpointValue> {
    static var other: Self {
        Self(
            keys: [
                EndpointKey(serviceID: 1, endpointID: 4242), EndpointKey(serviceID: 777, endpointID: 1),
            ], value: EndpointValue(address: IPAddress(v4: 0x0b09_0902), port: 9))
    }
}

extension Foreign<WaypointKey, WaypointValue> {
    static var other: Self {
        Self(
            keys: [1, 2].map { WaypointKey(address: IPAddress(v4: 0x0b09_0900 + $0)) },
            value: WaypointValue())
    }
}

extension InMemoryMap {
    func change(_ damage: Damage, _ foreign: Foreign<Key, Value>) throws -> Int {
        let keys = damage == .added ? foreign.keys : Array(try contents().entries.keys)
        for key in keys { try change(key, damage, foreign.value) }
        return keys.count
    }

    func change(_ damage: Damage, _ foreign: Foreign<Key, Value>, _ random: inout SplitMix64) throws {
        let present = try contents().entries.keys.sorted { "\($0)" < "\($1)" }
        let keys = damage == .added ? foreign.keys : present
        guard let key = keys.randomElement(using: &random) else { return }
        try change(key, damage, foreign.value)
    }

    private func change(_ key: Key, _ damage: Damage, _ value: Value) throws {
        switch damage {
        case .removed: try remove([key])
        case .damaged: self.damage(key)
        case .changed, .added: try upsert([MapEntry(key, value)])
        }
    }
}
