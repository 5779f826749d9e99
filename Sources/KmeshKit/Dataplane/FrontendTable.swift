/// Which service port answers each address and port that clients dial. An address that services share has one
/// marker for all of them.

struct FrontendTable: Sendable {
    fileprivate(set) var owners: [FrontendKey: UInt32] = [:]
    /// How many services have the address.
    fileprivate(set) var markers: [IPAddress: Int] = [:]
    /// The waypoint's service port that a workload's address is marked with, where it is no service's.
    private(set) var redirects: [IPAddress: UInt32] = [:]

    /// Takes over what was found in the map after a restart, where it is what the service would have written.
    mutating func adopt(_ service: AppliedService) {
        for (key, id) in service.frontends { owners[key] = id }
        for address in service.addresses { markers[address, default: 0] += 1 }
    }

    /// The same for the marks of workloads' addresses.
    mutating func adopt(redirects found: [IPAddress: UInt32]) { redirects = found }

    /// Marks a workload's address with its waypoint; `nil` takes the mark away. A service's mark stays.
    mutating func redirect(
        _ address: IPAddress, to waypointID: UInt32?,
        _ batch: inout MapBatch<MapEntry<FrontendKey, FrontendValue>>
    ) {
        let old = redirects[address]
        guard old != waypointID else { return }
        redirects[address] = waypointID
        guard markers[address] == nil else { return }
        if let waypointID {
            batch.upserts.append(
                MapEntry(FrontendKey(markerOf: address), FrontendValue(serviceID: waypointID)))
            batch.insertions += old == nil ? 1 : 0
        } else {
            batch.removes.append(FrontendKey(markerOf: address))
        }
    }

    /// Whether a mark of the address takes an entry that is not there yet.
    func isUnmarked(_ address: IPAddress) -> Bool { markers[address] == nil && redirects[address] == nil }

    /// What the mark of an address is; `nil` for an address without one.
    func mark(of address: IPAddress) -> UInt32? { markers[address] != nil ? 0 : redirects[address] }

    /// What the marks of all addresses are.
    var marks: [IPAddress: UInt32] { redirects.merging(markers.mapValues { _ in 0 }) { $1 } }
}

/// What the services of one update give up and claim. `table` is always the one that the update starts from.
struct FrontendClaims {
    private var released: Set<FrontendKey> = []
    private var claimed: [FrontendKey: UInt32] = [:]
    private var markerChanges: [IPAddress: Int] = [:]
    /// In the order of the update, so that equal updates make equal writes.
    private var touched: [FrontendKey] = []
    private var touchedAddresses: [IPAddress] = []

    /// Gives up what `service` has and `successor`, its next form, does not want.
    mutating func release(_ service: AppliedService, for successor: AppliedService) {
        let kept = Set(successor.frontends.map(\.key))
        for (key, _) in service.frontends where !kept.contains(key) {
            released.insert(key)
            touched.append(key)
        }
        for address in service.addresses { changeMarker(address, by: -1) }
    }

    /// The first address and port of `service` that another service port has.
    func conflict(of service: AppliedService, in table: FrontendTable) -> (key: FrontendKey, owner: UInt32)? {
        for (key, id) in service.frontends {
            let owner = claimed[key] ?? (released.contains(key) ? nil : table.owners[key])
            if let owner, owner != id { return (key, owner) }
        }
        return nil
    }

    /// How many entries of the map `service` adds to those that are there or claimed.
    func insertions(of service: AppliedService, in table: FrontendTable) -> Int {
        let keys = service.frontends.count { key, _ in table.owners[key] == nil && claimed[key] == nil }
        let markers = service.addresses.count { table.isUnmarked($0) && (markerChanges[$0] ?? 0) == 0 }
        return keys + markers
    }

    mutating func claim(_ service: AppliedService) {
        for (key, id) in service.frontends where claimed.updateValue(id, forKey: key) == nil {
            if !released.contains(key) { touched.append(key) }
        }
        for address in service.addresses { changeMarker(address, by: 1) }
    }

    private mutating func changeMarker(_ address: IPAddress, by change: Int) {
        if markerChanges[address] == nil { touchedAddresses.append(address) }
        markerChanges[address, default: 0] += change
    }

    /// Puts the claims into `table` and returns the writes.
    func commit(to table: inout FrontendTable) -> MapBatch<MapEntry<FrontendKey, FrontendValue>> {
        var batch = MapBatch<MapEntry<FrontendKey, FrontendValue>>()
        for key in touched {
            let old = table.owners[key], new = claimed[key]
            guard old != new else { continue }
            table.owners[key] = new
            if let new {
                batch.upserts.append(MapEntry(key, FrontendValue(serviceID: new)))
                batch.insertions += old == nil ? 1 : 0
            } else {
                batch.removes.append(key)
            }
        }
        for address in touchedAddresses {
            let old = table.markers[address] ?? 0, new = old + (markerChanges[address] ?? 0)
            precondition(new >= 0, "an address was released more often than claimed")
            table.markers[address] = new == 0 ? nil : new
            if old == 0, new > 0 {
                batch.upserts.append(MapEntry(FrontendKey(markerOf: address), FrontendValue(serviceID: 0)))
                batch.insertions += table.redirects[address] == nil ? 1 : 0
            } else if old > 0, new == 0 {
                if let waypointID = table.redirects[address] {
                    batch.upserts.append(
                        MapEntry(FrontendKey(markerOf: address), FrontendValue(serviceID: waypointID)))
                } else {
                    batch.removes.append(FrontendKey(markerOf: address))
                }
            }
        }
        return batch
    }
}
