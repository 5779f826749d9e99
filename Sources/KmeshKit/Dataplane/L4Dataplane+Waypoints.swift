// Sends services and workloads through their waypoints, as far as these are in force.
internal import CKmeshABI

extension L4Dataplane {
    /// Brings what changed in line with the services that are in force, and queues the writes. What shall go
    /// through a waypoint that is not in force is refused by the programs: nothing goes around one.
    mutating func settleWaypoints() {
        var changes = MapChanges()
        let touched = waypoints.takeTouched()
        for address in touched.instances { settleInstance(address, &changes) }
        for key in touched.services { settleService(key, &changes) }
        for address in touched.addresses { settleAddress(address, &changes) }
        if !changes.isEmpty { reconciler.enqueue(changes) }
    }

    private mutating func settleService(_ key: ServiceKey, _ changes: inout MapChanges) {
        guard let service = inForce[key] else { return }
        for (index, port) in service.ports.enumerated() {
            let wanted = waypointID(service.waypoint, of: key, port.key)
            guard port.value.waypointID != wanted else { continue }
            inForce[key]?.ports[index].redirect(to: wanted, &changes)
        }
    }

    /// What the service map says of a service port's waypoint. Only TCP goes through one.
    private func waypointID(
        _ waypoint: WaypointReference?, of service: ServiceKey, _ port: ServicePortKey
    ) -> UInt32 {
        guard let waypoint, port.transport == .tcp, waypoint.service != service else { return 0 }
        return waypointID(waypoint, port.family)
    }

    private func waypointID(_ waypoint: WaypointReference, _ family: AddressFamily) -> UInt32 {
        let key = ServicePortKey(port: waypoint.port, transport: .tcp, family: family)
        return inForce[waypoint.service]?.port(key)?.id ?? KMESH_WAYPOINT_MISSING
    }

    private mutating func settleAddress(_ address: IPAddress, _ changes: inout MapChanges) {
        let wanted = waypoints.waypoint(of: address).map { waypointID($0, address.family) }
        let needsRoom = wanted != nil && frontends.isUnmarked(address)
        let room = reconciler.capacities.frontends - reconciler.occupancy.frontends
        let hasRoom = !needsRoom || changes.frontends.insertions < room
        waypoints.placeAddress(address, hasRoom: hasRoom)
        if hasRoom { frontends.redirect(address, to: wanted, &changes.frontends) }
    }

    private mutating func settleInstance(_ address: IPAddress, _ changes: inout MapChanges) {
        let isWanted = waypoints.isInstance(address), isKnown = waypoints.known.contains(address)
        let room = reconciler.capacities.waypoints - reconciler.occupancy.waypoints
        let hasRoom = !isWanted || isKnown || changes.waypoints.insertions < room
        waypoints.placeInstance(address, hasRoom: hasRoom)
        guard isWanted != isKnown, hasRoom else { return }
        let key = WaypointKey(address: address)
        if isWanted {
            changes.waypoints.upserts.append(MapEntry(key, WaypointValue()))
            changes.waypoints.insertions += 1
        } else {
            changes.waypoints.removes.append(key)
        }
        waypoints.setKnown(address, isWanted)
    }

    /// Of the workloads `uids` those that a map has no room for.
    func unplacedWorkloads(_ uids: [String]) -> [RejectedResource] {
        guard waypoints.waitsForRoom else { return [] }
        return uids.compactMap { uid in
            let addresses = workloads[uid]?.addresses ?? []
            let map: (name: String, flag: String)
            if addresses.contains(where: waypoints.unplacedInstances.contains) {
                map = (KMESH_MAP_WAYPOINT, "--max-waypoints")
            } else if addresses.contains(where: waypoints.unplacedAddresses.contains) {
                map = (KMESH_MAP_FRONTEND, "--max-frontends")
            } else {
                return nil
            }
            return RejectedResource(
                name: .workload(uid: uid),
                reason: "needs an entry in map \(map.name), which is full: raise its capacity with "
                    + map.flag)
        }
    }
}
