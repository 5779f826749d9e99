internal import KmeshKit

/// A route configuration as the kernel follows it, for one address family, before anything in it has an id.
struct CompiledTable: Hashable, Sendable {
    var name: String
    var probes: [Probe]
    /// What their hosts' names lead to: places in `hosts`.
    var found: [CompiledFound]
    var anyHost: Int?
    var hosts: [CompiledHost]
}

struct CompiledHost: Hashable, Sendable {
    /// Unique in the mesh: hosts of different tables are different, so that splits count for themselves.
    var name: String
    var probes: [Probe]
    /// What paths lead to: numbers of routes.
    var found: [CompiledFound]
    var anyRoute: Int
    var routes: [CompiledRoute]
}

/// A text that is found by its hash.
struct CompiledFound: Hashable, Sendable {
    var probe: Probe
    var hash: UInt64
    var matcher: Matcher
    var leadsTo: Int
}

struct CompiledRoute: Hashable, Sendable {
    var name: String
    /// From 1, in the order of the configuration. Those that no request reaches are left out.
    var number: Int
    var next: Int
    var action: CompiledAction
    var retries: UInt16
    var hash: Matcher?
    var conditions: [Matcher]
}

enum CompiledAction: Hashable, Sendable {
    case service(UInt32)
    case split(CompiledSplit)
    /// It leads to nothing that exists.
    case refuse
}

/// Shares whose ends rise to `total`.
struct CompiledSplit: Hashable, Sendable {
    var shares: [ShareValue]
    var total: UInt32
    var stride: UInt32
}

/// The ids of service ports; 0 for one that is not in force.
typealias ServicePortIDs = (BackendReference) -> UInt32

extension CompiledAction {
    /// What becomes of backends, in the order in which they are declared. Weights together fit into 32 bits.
    init(_ backends: [WeightedBackend], _ ids: ServicePortIDs) {
        let parts = backends.filter { $0.weight > 0 }.map { ($0.weight, $0.backend.map(ids) ?? 0) }
        guard parts.contains(where: { $0.1 != 0 }) else {
            self = .refuse
            return
        }
        if parts.count == 1 {
            self = .service(parts[0].1)
        } else {
            self = .split(CompiledSplit(parts))
        }
    }
}

extension CompiledSplit {
    fileprivate init(_ parts: [(weight: UInt32, id: UInt32)]) {
        let divisor = parts.reduce(0) { greatestDivisor($0, $1.weight) }
        shares = []
        total = 0
        for part in parts {
            total += part.weight / divisor
            shares.append(ShareValue(end: total, serviceID: part.id))
        }
        // Steps of the golden ratio mix the shares best.
        stride = max(1, UInt32(Double(total) * 0.618_033_988_749_895))
        while greatestDivisor(stride, total) != 1 { stride += 1 }
    }
}

private func greatestDivisor(_ one: UInt32, _ other: UInt32) -> UInt32 {
    var (one, other) = (one, other)
    while other != 0 { (one, other) = (other, one % other) }
    return one
}
