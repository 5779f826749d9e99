// A layer that leads to services by a map in memory, which stands for one that is pinned.
import BPFLoader
import KmeshKit
import Steering
import Synchronization

/// What survives the engine.
final class Listing: Sendable {
    struct State {
        var ids: [ClusterKey: UInt32] = [:]
        /// How the calls went.
        var calls: [String] = []
        /// While it is set nothing can be written.
        var fault: MapError?
    }

    let state = Mutex(State())

    var ids: [ClusterKey: UInt32] { state.withLock { $0.ids } }

    func takeCalls() -> [String] {
        state.withLock { state in
            defer { state.calls = [] }
            return state.calls
        }
    }
}

struct ListedLayerLoader: SteeringLayerLoader {
    let listing: Listing
    let clusters: [ClusterKey]
    var isWithoutGetpeername = false

    var capacityByMap: [(map: String, capacity: UInt32)] { [("km_trace", 1 << 16)] }

    mutating func prepare(
        _ object: borrowing BPFObject, _ programs: inout [CgroupHook: String]
    ) throws(BPFError) {
        listing.state.withLock { $0.calls.append("load") }
        guard isWithoutGetpeername, let program = programs.removeValue(forKey: .getpeername6) else { return }
        try object.leaveOut(program: program)
    }

    func makeLayer(_ object: borrowing BPFObject) throws(EngineError) -> any SteeringLayer {
        listing.state.withLock { $0.calls.append("layer") }
        return ListedLayer(listing: listing, clusters: clusters)
    }
}

/// Leads to all `clusters` whose service there is; refuses workloads named `odd`.
private struct ListedLayer: SteeringLayer {
    let listing: Listing
    let clusters: [ClusterKey]
    var activity = EngineActivity()

    var notes: [String] { ["this is listed"] }
    var readinessNote: String? { "listed" }
    var adoptedClusters: [ClusterDigest: UInt32] {
        Dictionary(uniqueKeysWithValues: listing.ids.map { ($0.key.digest, $0.value) })
    }
    var entriesByMap: [String: Int] { ["km_metadata": 77] }

    mutating func prepare(
        _ changes: [ResourceChange<MeshResource>], _ dataplane: inout L4Dataplane
    ) -> [ResourceChange<MeshResource>] {
        listing.state.withLock { $0.calls.append("prepare") }
        dataplane.changeClusters(adding: clusters, removing: [])
        return []
    }

    mutating func refer(to dataplane: L4Dataplane, renumbered: Set<ServiceKey>) throws(MapError) {
        let fault = listing.state.withLock { $0.fault }
        activity.pendingWrites = fault == nil ? 0 : 1
        if let fault { throw fault }
        activity.writes += 1
        listing.state.withLock { state in
            state.calls.append("refer")
            for cluster in clusters { state.ids[cluster] = dataplane.serviceID(of: cluster) }
        }
    }

    func rejections(of changes: [ResourceChange<MeshResource>]) -> [RejectedResource] {
        changes.map(\.name).filter { $0 == .workload(uid: "odd") }.map {
            RejectedResource(name: $0, reason: "is odd")
        }
    }

    mutating func tend(_ dataplane: L4Dataplane) { listing.state.withLock { $0.calls.append("tend") } }

    func describe(in snapshot: inout EngineSnapshot) {
        snapshot.reasons.append(ReasonCount(number: 999, name: "listed", count: 1))
    }

    func verify(_ dataplane: L4Dataplane) throws(MapError) -> [Difference] {
        let wrong = listing.ids.filter { dataplane.serviceID(of: $0.key) != $0.value }
        return wrong.map { Difference(map: "listing", key: "\($0.key.service)", wanted: nil, found: "id") }
    }

    func dumpableMaps(_ dataplane: L4Dataplane) -> [DumpableMap] { [.hidden("listing", "it is a test's")] }

    mutating func end(_ disposition: StopDisposition) { listing.state.withLock { $0.calls.append("end") } }
}
