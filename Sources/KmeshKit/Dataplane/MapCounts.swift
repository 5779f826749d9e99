/// Numbers of entries, one for each L4 map: what is in them, what fits, or what an update adds.
internal import CKmeshABI

public struct MapCounts: Hashable, Sendable {
    public var frontends: Int
    public var services: Int
    public var slots: Int
    public var tables: Int
    public var endpoints: Int
    public var waypoints: Int

    public init(
        frontends: Int = 0, services: Int = 0, slots: Int = 0, tables: Int = 0, endpoints: Int = 0,
        waypoints: Int = 0
    ) {
        self.frontends = frontends
        self.services = services
        self.slots = slots
        self.tables = tables
        self.endpoints = endpoints
        self.waypoints = waypoints
    }

    /// The capacities of `bpf/include/kmesh/abi/limits.h`.
    public static var defaultCapacities: MapCounts {
        MapCounts(
            frontends: Int(KMESH_FRONTENDS_MAX), services: Int(KMESH_SERVICES_MAX),
            slots: Int(KMESH_ENDPOINTS_MAX), tables: Int(KMESH_TABLES_MAX),
            endpoints: Int(KMESH_ENDPOINTS_MAX), waypoints: Int(KMESH_WAYPOINTS_MAX))
    }

    static func += (left: inout MapCounts, right: MapCounts) {
        left.frontends += right.frontends
        left.services += right.services
        left.slots += right.slots
        left.tables += right.tables
        left.endpoints += right.endpoints
        left.waypoints += right.waypoints
    }

    static func -= (left: inout MapCounts, right: MapCounts) {
        left.frontends -= right.frontends
        left.services -= right.services
        left.slots -= right.slots
        left.tables -= right.tables
        left.endpoints -= right.endpoints
        left.waypoints -= right.waypoints
    }

    static func + (left: MapCounts, right: MapCounts) -> MapCounts {
        var sum = left
        sum += right
        return sum
    }

    /// Of all maps together.
    public var total: Int { frontends + services + slots + tables + endpoints + waypoints }

    /// The map that `additions` do not fit into when the maps hold `self`, as the reason for a refusal.
    func shortage(adding additions: MapCounts, capacities: MapCounts) -> String? {
        let rows = [
            ("km_frontend", "frontends", frontends, additions.frontends, capacities.frontends),
            ("km_service", "services", services, additions.services, capacities.services),
            ("km_slot", "endpoints", slots, additions.slots, capacities.slots),
            ("km_table", "tables", tables, additions.tables, capacities.tables),
            ("km_endpoint", "endpoints", endpoints, additions.endpoints, capacities.endpoints),
            ("km_waypoint", "waypoints", waypoints, additions.waypoints, capacities.waypoints),
        ]
        for (map, flag, held, added, capacity) in rows where added > 0 && held + added > capacity {
            return "needs \(added) more entries in map \(map), which holds \(held) of \(capacity): "
                + "raise its capacity with --max-\(flag), or remove services"
        }
        return nil
    }
}
