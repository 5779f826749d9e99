/// A cluster with its endpoints.
internal import KmeshKit

struct ClusterReader {
    private let message: Message

    init(_ message: Message) { self.message = message }

    private enum Health {
        case usable(EndpointHealth)
        /// As if it were not there.
        case unusable
    }

    func read(_ name: String) -> Cluster? {
        // Whatever the type, endpoints are those of this document; they have addresses, not names.
        _ = message.choice("type", ["STATIC": (), "EDS": (), "STRICT_DNS": (), "LOGICAL_DNS": ()])
        let policy = message.choice(
            "lbPolicy",
            [
                "ROUND_ROBIN": LoadBalancingPolicy.roundRobin, "LEAST_REQUEST": .leastRequest,
                "RANDOM": .random, "MAGLEV": .maglev, "RING_HASH": .maglev,
            ])
        let extensions = "typedExtensionProtocolOptions"
        if message.contains(["http2ProtocolOptions", "http3ProtocolOptions"], in: extensions) {
            message.fail(
                extensions,
                "HTTP/2 and HTTP/3 are not supported: requests are passed as they are, in HTTP/1.1")
        }
        let weighs =
            message.message("commonLbConfig", .loadBalancing)?
            .message("localityWeightedLbConfig", .nothing) != nil
        return Cluster(
            name: name, policy: policy ?? .roundRobin, endpoints: endpoints(weighingLocalities: weighs),
            maxConnections: maxConnections(), connectTimeout: message.milliseconds("connectTimeout"))
    }

    private func endpoints(weighingLocalities: Bool) -> [ClusterEndpoint] {
        guard let assignment = message.message("loadAssignment", .loadAssignment) else { return [] }
        var endpoints: [ClusterEndpoint] = []
        var seen: Set<SocketAddress> = []
        for group in assignment.messages("endpoints", .localityEndpoints) {
            let place = group.message("locality", .locality)
            let locality = Locality(
                region: place?.text("region") ?? "", zone: place?.text("zone") ?? "")
            let priority = group.number("priority", in: 0...128) ?? 0
            let share = group.number("loadBalancingWeight", in: 1...UInt32.max)
            var members: [ClusterEndpoint] = []
            for message in group.messages("lbEndpoints", .endpoint) {
                guard var endpoint = endpoint(message, &seen) else { continue }
                (endpoint.locality, endpoint.priority) = (locality, priority)
                members.append(endpoint)
            }
            if weighingLocalities { weigh(&members, by: share) }
            endpoints += members
        }
        return endpoints
    }

    /// `nil` also for one that is not to be used.
    private func endpoint(_ message: Message, _ seen: inout Set<SocketAddress>) -> ClusterEndpoint? {
        let weight = message.number("loadBalancingWeight", in: 1...UInt32.max) ?? 1
        let health = message.choice(
            "healthStatus",
            [
                "UNKNOWN": Health.usable(.ready), "HEALTHY": .usable(.ready),
                // They serve while nobody better does.
                "DEGRADED": .usable(.terminating), "DRAINING": .usable(.terminating),
                "UNHEALTHY": .unusable, "TIMEOUT": .unusable,
            ])
        let found: SocketAddress?
        if message.onlyOne(of: ["endpoint", "address"]) == "endpoint" {
            found = message.message("endpoint", .endpointPlace)?.address("address", isListener: false)
        } else {
            found = message.has("address") ? message.address("address", isListener: false) : nil
        }
        guard let address = found else { return nil }
        guard seen.insert(address).inserted else {
            message.fail("the cluster has \(address) twice: remove one")
            return nil
        }
        switch health ?? .usable(.ready) {
        case .unusable: return nil
        case .usable(let health):
            return ClusterEndpoint(
                address: address.address, port: address.port, weight: weight, health: health)
        }
    }

    /// Makes the weights together the locality's share, in thousandths. Without a share nobody is chosen.
    private func weigh(_ members: inout [ClusterEndpoint], by share: UInt32?) {
        guard let share else {
            members = []
            return
        }
        let sum = members.reduce(0) { $0 + UInt64($1.weight) }
        for index in members.indices {
            let part = Double(share) * 1000 * Double(members[index].weight) / Double(sum)
            members[index].weight = UInt32(max(1, min(part.rounded(), Double(UInt32.max))))
        }
    }

    private func maxConnections() -> UInt32? {
        guard let breakers = message.message("circuitBreakers", .circuitBreakers) else { return nil }
        // 0 in Kmesh's flat form is a number that is not set.
        let flat = breakers.number("maxConnections", in: 0...UInt32.max) ?? 0
        var limit = isDefault(breakers) && flat > 0 ? flat : nil
        for threshold in breakers.messages("thresholds", .threshold) where isDefault(threshold) {
            // The first of a priority counts.
            limit = limit ?? threshold.number("maxConnections", in: 1...UInt32.max)
        }
        return limit
    }

    /// No request is of high priority.
    private func isDefault(_ threshold: Message) -> Bool {
        threshold.choice("priority", ["DEFAULT": true, "HIGH": false]) ?? true
    }
}
