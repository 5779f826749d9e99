/// The workloads of the mesh by uid, and which of them serve a service. A membership may name a service that
/// is not known yet; it waits here.
public struct WorkloadStore: Sendable {
    /// A workload's place in `records`.
    private typealias Handle = UInt32

    private var records: [Workload?] = []
    private var free: [Handle] = []
    private var handles: [String: Handle] = [:]
    private var members: [ServiceKey: Set<Handle>] = [:]
    /// Whose each address is, of those that nobody shares.
    private var owners: [IPAddress: Handle] = [:]

    public init() {}

    public var count: Int { handles.count }

    public subscript(uid: String) -> Workload? { handles[uid].flatMap { records[Int($0)] } }

    /// The workload that has the address; `nil` also for one that is others' too.
    public func owner(of address: IPAddress) -> Workload? { owners[address].flatMap { records[Int($0)] } }

    public func memberCount(of service: ServiceKey) -> Int { members[service]?.count ?? 0 }

    /// Calls `body` with every workload, in no order.
    public func forEach(_ body: (Workload) -> Void) {
        for case let workload? in records { body(workload) }
    }

    /// Calls `body` with every workload that serves `service`, in no order.
    public func forEachMember(of service: ServiceKey, _ body: (Workload) -> Void) {
        guard let handles = members[service] else { return }
        for handle in handles {
            if let workload = records[Int(handle)] { body(workload) }
        }
    }

    /// Returns the services for which something changed that matters to them.
    public mutating func upsert(_ workload: Workload) -> [ServiceKey] {
        let old = self[workload.uid]
        if old == workload { return [] }
        let handle = handles[workload.uid] ?? newHandle(for: workload.uid)
        let shared = sharingStorage(workload)
        disown(old, handle)
        records[Int(handle)] = shared
        if !shared.sharesAddresses { for address in shared.addresses { owners[address] = handle } }
        let before = serviceKeys(of: old), after = serviceKeys(of: shared)
        for key in before where !after.contains(key) { removeMember(handle, of: key) }
        for key in after where !before.contains(key) { members[key, default: []].insert(handle) }
        return before.filter { matters(to: $0, old, shared) } + after.filter { !before.contains($0) }
    }

    /// Returns the services that it served.
    public mutating func remove(uid: String) -> [ServiceKey] {
        guard let handle = handles.removeValue(forKey: uid) else { return [] }
        let keys = serviceKeys(of: records[Int(handle)])
        for key in keys { removeMember(handle, of: key) }
        disown(records[Int(handle)], handle)
        records[Int(handle)] = nil
        free.append(handle)
        return keys
    }

    private mutating func disown(_ workload: Workload?, _ handle: Handle) {
        for address in workload?.addresses ?? [] where owners[address] == handle { owners[address] = nil }
    }

    private mutating func newHandle(for uid: String) -> Handle {
        let handle = free.popLast() ?? Handle(records.count)
        if Int(handle) == records.count { records.append(nil) }
        handles[uid] = handle
        return handle
    }

    private mutating func removeMember(_ handle: Handle, of key: ServiceKey) {
        members[key]?.remove(handle)
        if members[key]?.isEmpty == true { members[key] = nil }
    }

    /// Each service once; a workload has few memberships.
    private func serviceKeys(of workload: Workload?) -> [ServiceKey] {
        var keys: [ServiceKey] = []
        for membership in workload?.memberships ?? [] where !keys.contains(membership.service) {
            keys.append(membership.service)
        }
        return keys
    }

    private func matters(to service: ServiceKey, _ old: Workload?, _ new: Workload) -> Bool {
        guard let old else { return true }
        return old.addresses != new.addresses || old.locality != new.locality || old.weight != new.weight
            || old.memberships.filter { $0.service == service }
                != new.memberships.filter { $0.service == service }
    }

    /// Members of a service mostly have the same ports: they share one array and the service's name, which
    /// keeps a large mesh small.
    private func sharingStorage(_ workload: Workload) -> Workload {
        var shared = workload
        for index in shared.memberships.indices {
            let membership = shared.memberships[index]
            guard let other = members[membership.service]?.first,
                let sample = records[Int(other)]?.memberships.first(where: {
                    $0.service == membership.service
                })
            else { continue }
            shared.memberships[index].service = sample.service
            if sample.ports == membership.ports { shared.memberships[index].ports = sample.ports }
        }
        return shared
    }
}
