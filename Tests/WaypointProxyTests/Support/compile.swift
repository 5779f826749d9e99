/// Placeholder.
import KmeshKit

@testable import WaypointProxy

func compile(_ source: RouteConfiguration, _ clusters: [ClusterConfiguration?]) -> RouteTable {
    let routes = source.virtualHosts[0].routes.enumerated().map { index, route -> CompiledRoute in
        var compiled = CompiledRoute(
            name: route.name, statistic: Int32(index), action: .forward, requestEdits: HeaderEdits(),
            responseEdits: HeaderEdits())
        guard case .forward(let action) = route.action else { return compiled }
        var total: UInt32 = 0
        for backend in action.backends {
            total += backend.weight
            let number = clusters.firstIndex { $0?.backend == backend.backend }
            compiled.backends.append(
                CompiledBackend(
                    cluster: number.map { Int32($0) } ?? -1, upTo: total, requestEdits: HeaderEdits(),
                    responseEdits: HeaderEdits()))
        }
        compiled.totalWeight = total
        compiled.requestTimeout = action.requestTimeout ?? 0
        compiled.backendTimeout = action.backendTimeout ?? 0
        compiled.retry = action.retry
        return compiled
    }
    return RouteTable(source: source, routes: routes)
}
