/// Reads a whole document: Kmesh's static form (`staticResources` with `listenerConfigs`, `routeConfigs` and
/// `clusterConfigs`) or Envoy's bootstrap (`static_resources` with `listeners` and `clusters`).
internal import KmeshKit

struct StaticDocument {
    /// 64 MiB.
    static let sizeLimit = 1 << 26

    /// Listeners, route configurations and clusters, each in the order of the document.
    private(set) var resources: [MeshResource] = []

    private let problems = ProblemList()
    private var listenerNames: Set<String> = []
    private var listenerAddresses: Set<SocketAddress> = []
    private var routeNames: Set<String> = []
    private var clusterNames: Set<String> = []
    /// What the document refers to, with the path of the reference.
    private var references = References()

    /// - Returns: the resources, or everything that is wrong.
    static func read(_ bytes: [UInt8]) throws(ConfigurationError) -> [MeshResource] {
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONValue(parsing: bytes, limit: sizeLimit)
        } catch {
            throw ConfigurationError(["\(error)"])
        }
        var document = StaticDocument()
        document.read(value)
        document.checkReferences()
        guard document.problems.isEmpty else { throw ConfigurationError(document.problems.all) }
        return document.resources
    }

    private mutating func read(_ value: JSONValue) {
        guard let document = Message(value, path: "", .document, problems) else { return }
        guard let resources = document.message("staticResources", .resources) else {
            if !document.has("staticResources") { document.fail(missing: "staticResources") }
            return
        }
        for name in ["listenerConfigs", "listeners"] {
            for message in resources.messages(name, .listener) { readListener(message) }
        }
        for name in ["routeConfigs", "routes"] {
            for message in resources.messages(name, .routeConfiguration) { readRoutes(message) }
        }
        for name in ["clusterConfigs", "clusters"] {
            for message in resources.messages(name, .cluster) { readCluster(message) }
        }
    }

    private mutating func readListener(_ message: Message) {
        message.checkStatus()
        var reader = ListenerReader(message)
        guard let listener = reader.read(&references) else { return }
        if !listenerNames.insert(listener.name).inserted {
            message.fail("name", "another listener is called \(listener.name): rename one")
        }
        if !listenerAddresses.insert(SocketAddress(listener.address, listener.port)).inserted {
            message.fail("address", "another listener has this address and port: remove one")
        }
        resources.append(.listener(listener))
        for inline in reader.inlineRoutes {
            if case .named(let name) = inline.key { routeNames.insert(name) }
            resources.append(.routes(inline))
        }
    }

    private mutating func readRoutes(_ message: Message) {
        message.checkStatus()
        guard let name = message.requiredText("name") else { return }
        let routes = RouteConfigurationReader(message).read(.named(name), &references)
        if !routeNames.insert(name).inserted {
            message.fail("name", "another route configuration is called \(name): rename one")
        }
        resources.append(.routes(routes))
    }

    private mutating func readCluster(_ message: Message) {
        message.checkStatus()
        guard let name = message.requiredText("name") else { return }
        if !clusterNames.insert(name).inserted {
            message.fail("name", "another cluster is called \(name): rename one")
        }
        guard let cluster = ClusterReader(message).read(name) else { return }
        resources.append(.cluster(cluster))
    }

    private func checkReferences() {
        for reference in references.routes where !routeNames.contains(reference.name) {
            problems.add(reference.path, "there is no route configuration \(reference.name): add it")
        }
        for reference in references.clusters where !clusterNames.contains(reference.name) {
            problems.add(reference.path, "there is no cluster \(reference.name): add it")
        }
    }
}

/// What is named by a document, to be found once it is read.
struct References {
    typealias Reference = (name: String, path: String)

    var routes: [Reference] = []
    var clusters: [Reference] = []

    /// A backend of the cluster that the field names.
    mutating func backend(_ name: String, of message: Message, weight: UInt32 = 1) -> WeightedBackend? {
        guard let cluster = message.requiredText(name) else { return nil }
        clusters.append((cluster, message.place(of: name)))
        return WeightedBackend(backend: .cluster(cluster), weight: weight)
    }

    /// Of `cluster` or `weightedClusters`, of which there must be one.
    mutating func backends(of message: Message) -> [WeightedBackend] {
        guard let name = message.onlyOne(of: ["cluster", "weightedClusters"]) else { return [] }
        if name == "cluster" { return backend(name, of: message).map { [$0] } ?? [] }
        guard let weighted = message.message(name, .weightedClusters) else { return [] }
        let clusters = weighted.messages("clusters", .weightedCluster)
        if clusters.isEmpty { weighted.fail("clusters", "must name a cluster: add one") }
        var backends: [WeightedBackend] = []
        var sum: UInt64 = 0
        for cluster in clusters {
            if !cluster.has("weight") { cluster.fail(missing: "weight") }
            let weight = cluster.number("weight", in: 0...UInt32.max) ?? 0
            sum += UInt64(weight)
            if let backend = backend("name", of: cluster, weight: weight) { backends.append(backend) }
        }
        if !clusters.isEmpty, !(1...UInt64(UInt32.max)).contains(sum) {
            weighted.fail("clusters", "the weights are \(sum) together, and must be from 1 to \(UInt32.max)")
        }
        if let total = weighted.number("totalWeight", in: 0...UInt32.max), UInt64(total) != sum {
            weighted.fail("totalWeight", "the weights are \(sum) together, not \(total): remove it")
        }
        return backends
    }
}

extension Message {
    /// The document is the whole configuration, so that there is nothing to delete or to wait for.
    func checkStatus() {
        guard let status = text("apiStatus"), status != "UPDATE", status != "NONE" else { return }
        fail("apiStatus", "only UPDATE is possible, not \"\(status.prefix(80))\": remove the whole entry")
    }
}
