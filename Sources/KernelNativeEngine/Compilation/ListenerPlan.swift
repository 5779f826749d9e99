internal import CKmeshABI
internal import KmeshKit

/// What connections to one address and port go by, before anything in it has an id.
struct ListenerPlan: Hashable, Sendable {
    var key: FrontendKey
    /// By where the client is, the narrowest first; the first that fits counts.
    var chains: [Chain]
    /// Where streams that are no HTTP go; `nil`: by the last route that takes every request.
    var streams: BackendReference?
    /// In milliseconds.
    var readTimeout: UInt32
    var idleTimeout: UInt32

    struct Chain: Hashable, Sendable {
        /// `nil`: any.
        var source: IPBlock?
        var action: Action
    }

    enum Action: Hashable, Sendable {
        case route(RouteConfigurationKey)
        case share([WeightedBackend])
    }

    /// A client that is slow to send must not be taken for one that waits for its server.
    static var standardReadTimeout: UInt32 { 1000 }
    static var standardIdleTimeout: UInt32 { 3000 }

    var family: AddressFamily { key.address.family }

    /// The configurations that it routes by.
    var routes: Set<RouteConfigurationKey> {
        Set(
            chains.compactMap { chain in
                if case .route(let key) = chain.action { key } else { nil }
            })
    }
}

extension ListenerPlan {
    /// An address of a service whose port has routes of its own.
    init(_ service: Service, _ address: IPAddress, port: UInt16) {
        key = FrontendKey(address: address, port: port, transport: .tcp)
        chains = [Chain(source: nil, action: .route(.service(service.key, port: port)))]
        streams = BackendReference(service: service.key, port: port)
        readTimeout = service.httpReadTimeout ?? Self.standardReadTimeout
        idleTimeout = service.httpIdleTimeout ?? Self.standardIdleTimeout
    }
}

extension Service {
    /// Whether the kernel routes its requests, where it has routes.
    var isRoutedInKernel: Bool { waypoint == nil || prefersKernelRouting }

    func hasTCPPort(_ port: UInt16) -> Bool { ports.contains { $0.port == port && $0.transport == .tcp } }
}

/// Why a listener cannot be in force, whatever else is. The sentence goes on after its name.
struct ListenerRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    let description: String
}

// MARK: - Listeners with filter chains

extension ListenerPlan {
    /// Connections are told apart by the client's address, and those in clear that send HTTP/1 from others.
    /// The kernel sees no more of a connection before it must choose, so whatever else chains tell apart has
    /// to come to the same.
    init(_ listener: Listener) throws(ListenerRefusal) {
        guard listener.port != 0 else {
            throw ListenerRefusal(description: "has the port 0: give it another")
        }
        key = FrontendKey(address: listener.address, port: listener.port, transport: .tcp)
        readTimeout = listener.readTimeout ?? Self.standardReadTimeout
        idleTimeout = listener.idleTimeout ?? Self.standardIdleTimeout
        chains = []
        let choice = ChainChoice(listener)
        for source in choice.sources {
            guard let (action, streams) = try choice.decide(source) else { continue }
            chains.append(Chain(source: source, action: action))
            guard let streams else { continue }
            if let other = self.streams, other != streams {
                throw ListenerRefusal(
                    description: "leads streams that are no HTTP to \(other) or \(streams), by the client's "
                        + "address, which the kernel cannot: let one cluster take them")
            }
            self.streams = streams
        }
        guard chains.count <= Int(KMESH_CHAINS_MAX) else {
            throw ListenerRefusal(
                description: "tells \(chains.count) ranges of clients apart, and \(KMESH_CHAINS_MAX) are "
                    + "possible: use fewer")
        }
        try checkWeights()
    }

    private func checkWeights() throws(ListenerRefusal) {
        var refusal = RouteRefusal()
        for case .share(let backends) in chains.lazy.map(\.action) {
            refusal.check(weightsOf: backends.filter { $0.weight > 0 }, "a filter chain")
        }
        if let part = refusal.parts.first { throw ListenerRefusal(description: "cannot be: \(part)") }
    }
}

/// Which of a listener's filter chains takes which connections.
private struct ChainChoice {
    /// Those that connections to the listener's port can take.
    private let chains: [FilterChain]
    private let protocols: Set<String>
    private let tellsTLS: Bool

    /// What a connection turns out to be.
    private struct Traffic {
        var isTLS = false
        var application: String?
    }

    /// What the kernel reads as requests. It takes the older version for the newer one.
    private static let http = ["http/1.1", "http/1.0"]
    /// Beside requests of HTTP/1, these are streams for the kernel, whatever chain they would take.
    private static let http2: Set<String> = ["h2", "h2c"]

    init(_ listener: Listener) {
        chains = listener.filterChains.filter { [nil, listener.port].contains($0.match.destinationPort) }
        protocols = Set(chains.flatMap(\.match.applicationProtocols))
        tellsTLS = chains.contains { $0.match.transportProtocol == .tls }
    }

    /// The narrowest first; `nil`, which is last: all others.
    var sources: [IPBlock?] {
        let blocks = Set(chains.flatMap(\.match.sourcePrefixes))
        let sorted = blocks.sorted { ($1.prefixLength, $0.address) < ($0.prefixLength, $1.address) }
        return sorted + [nil]
    }

    /// What clients of the range, and of no narrower one, are to get; `nil` when no chain takes them. Streams
    /// may go elsewhere than requests: that is the second part.
    func decide(
        _ source: IPBlock?
    ) throws(ListenerRefusal) -> (ListenerPlan.Action, streams: BackendReference?)? {
        let requests = Self.http.map { chain(source, Traffic(application: $0)) }
        let http2 = Self.http2.map { chain(source, Traffic(application: $0)) }
        var streams = [chain(source, Traffic())]
        streams += protocols.subtracting(Self.http).subtracting(Self.http2).sorted().map {
            chain(source, Traffic(application: $0))
        }
        if tellsTLS {
            streams += ([nil] + protocols.sorted().map { $0 }).map {
                chain(source, Traffic(isTLS: true, application: $0))
            }
        }
        guard let first = requests.lazy.compactMap({ $0 }).first else {
            if let other = (streams + http2).lazy.compactMap({ $0 }).first {
                throw undecidable(other, "takes only some streams that are no HTTP/1")
            }
            return nil
        }
        switch first.action {
        case .http(let name):
            return (.route(.named(name)), try self.streams(streams))
        case .tcp(let backends):
            let others = (requests + http2 + streams).compactMap { $0 }
            if let other = others.first(where: { $0.action != first.action }) {
                throw undecidable(other, "tells connections apart by what is sent")
            }
            return (.share(backends), nil)
        }
    }

    /// The one cluster of all streams that are no HTTP/1; `nil` when no chain says anything about them.
    private func streams(_ chains: [FilterChain?]) throws(ListenerRefusal) -> BackendReference? {
        var found: BackendReference?
        for case let chain? in chains {
            guard case .tcp(let backends) = chain.action else { continue }
            let taken = backends.filter { $0.weight > 0 }
            guard taken.count == 1, let backend = taken[0].backend else {
                throw undecidable(chain, "shares streams beside requests")
            }
            guard found == nil || found == backend else {
                throw undecidable(chain, "tells connections apart by what is sent")
            }
            found = backend
        }
        return found
    }

    private func undecidable(_ chain: FilterChain, _ what: String) -> ListenerRefusal {
        ListenerRefusal(
            description: "has the filter chain \(chain.name.isEmpty ? "without a name" : chain.name), which "
                + "\(what): the kernel cannot when a client connects; let one chain take both")
    }

    /// The most specific chain that takes the connection, as Envoy orders them.
    private func chain(_ source: IPBlock?, _ traffic: Traffic) -> FilterChain? {
        var best: (rank: [Int], chain: FilterChain)?
        for chain in chains {
            guard let rank = rank(of: chain.match, source, traffic) else { continue }
            if let best, !best.rank.lexicographicallyPrecedes(rank) { continue }
            best = (rank, chain)
        }
        return best?.chain
    }

    /// `nil` when it does not fit.
    private func rank(of match: FilterChainMatch, _ source: IPBlock?, _ traffic: Traffic) -> [Int]? {
        var rank = [match.destinationPort == nil ? 0 : 1]
        switch match.transportProtocol {
        case .any: rank.append(0)
        case .rawBuffer where !traffic.isTLS, .tls where traffic.isTLS: rank.append(1)
        case .rawBuffer, .tls: return nil
        }
        if match.applicationProtocols.isEmpty {
            rank.append(0)
        } else {
            guard let application = traffic.application, match.applicationProtocols.contains(application)
            else { return nil }
            rank.append(1)
        }
        guard !match.sourcePrefixes.isEmpty else { return rank + [-1] }
        guard let source else { return nil }
        let lengths = match.sourcePrefixes.filter { $0.contains(source) }.map { Int($0.prefixLength) }
        return lengths.max().map { rank + [$0] }
    }
}

extension IPBlock {
    fileprivate func contains(_ other: IPBlock) -> Bool {
        prefixLength <= other.prefixLength && contains(other.address)
    }
}

extension RouteConfiguration {
    /// Where requests go that nothing else takes: the one backend of the last route for every request.
    var lastResort: BackendReference? {
        let routes = virtualHosts.lazy.filter { $0.domains.contains(.any) }.flatMap(\.routes)
        for route in routes.reversed() where route.match.takesEverything {
            guard case .forward(let forward) = route.action else { return nil }
            let backends = forward.backends.filter { $0.weight > 0 }
            return backends.count == 1 ? backends[0].backend : nil
        }
        return nil
    }

    /// What its requests may go to.
    var backends: Set<BackendReference> {
        var backends: Set<BackendReference> = []
        for case .forward(let forward) in virtualHosts.lazy.flatMap(\.routes).map(\.action) {
            for part in forward.backends where part.weight > 0 {
                if let backend = part.backend { backends.insert(backend) }
            }
        }
        return backends
    }
}

extension RouteMatch {
    fileprivate var takesEverything: Bool {
        guard method == nil, headers.isEmpty, queryParameters.isEmpty else { return false }
        switch path {
        case .prefix(let prefix), .textPrefix(let prefix): return prefix.isEmpty || prefix == "/"
        case .exact, .regex: return false
        }
    }
}
