/// Documents to read, and what becomes of them.
import Foundation
import KmeshKit

@testable import EnvoyConfiguration

/// A file that lies beside the tests.
func fixture(_ name: String) throws -> String {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try String(contentsOf: tests.appending(path: "Fixtures/\(name)"), encoding: .utf8)
}

/// What a document means, by kind.
struct Meaning {
    var listeners: [Listener] = []
    var routes: [RouteConfiguration] = []
    var clusters: [Cluster] = []

    init(_ text: String) throws {
        for resource in try StaticDocument.read(Array(text.utf8)) {
            switch resource {
            case .listener(let listener): listeners.append(listener)
            case .routes(let configuration): routes.append(configuration)
            case .cluster(let cluster): clusters.append(cluster)
            case .service, .workload, .node, .policy: throw Unexpected(what: resource.name)
            }
        }
    }

    /// The routes of all hosts of the first configuration.
    var allRoutes: [Route] { routes.first?.virtualHosts.flatMap(\.routes) ?? [] }
}

struct Unexpected: Error {
    var what: MeshResourceName
}

/// What is wrong with a document; nothing for a good one.
func problems(_ text: String) -> [String] {
    do throws(ConfigurationError) {
        _ = try StaticDocument.read(Array(text.utf8))
        return []
    } catch {
        return error.problems
    }
}

/// A document with one listener, one configuration of one host, and the cluster `c`. Parts may be replaced.
func document(
    route: String = #"{"match": {"prefix": "/"}, "route": {"cluster": "c"}}"#, host: String? = nil,
    chain: String? = nil, listener: String? = nil, cluster: String = #"{"name": "c"}"#
) -> String {
    let host = host ?? #"{"domains": ["*"], "routes": [\#(route)]}"#
    let chain =
        chain ?? #"{"filters": [{"name": "h", "httpConnectionManager": {"routeConfigName": "r"}}]}"#
    let listener =
        listener
        ?? #"{"name": "l", "address": {"port": 80, "ipv4": 16777343}, "filterChains": [\#(chain)]}"#
    return """
        {"staticResources": {"listenerConfigs": [\(listener)],
            "routeConfigs": [{"name": "r", "virtualHosts": [\(host)]}], "clusterConfigs": [\(cluster)]}}
        """
}
