/// What happens to HTTP requests of one frontend: the model that HTTPRoute compiles into, and that the
/// waypoint and the kernel-native engine compile further. Its parts are those of Envoy's
/// `RouteConfiguration`.
public struct RouteConfiguration: Hashable, Sendable {
    public var key: RouteConfigurationKey
    /// A request goes to the virtual host whose domain is the most specific one that its host matches.
    public var virtualHosts: [VirtualHost]

    public init(key: RouteConfigurationKey, virtualHosts: [VirtualHost] = []) {
        self.key = key
        self.virtualHosts = virtualHosts
    }
}

/// Whose requests a configuration is for.
public enum RouteConfigurationKey: Hashable, Sendable, CustomStringConvertible {
    case service(ServiceKey, port: UInt16)
    case gateway(namespace: String, name: String, listener: String)
    /// That listeners refer to by its name.
    case named(String)

    public var description: String {
        switch self {
        case .service(let key, let port): "Service \(key):\(port)"
        case .gateway(let namespace, let name, let listener): "Gateway \(namespace)/\(name) \(listener)"
        case .named(let name): "RouteConfiguration \(name)"
        }
    }
}

public struct VirtualHost: Hashable, Sendable {
    public var domains: [DomainPattern]
    /// In the order in which they are tried: the first that matches counts. None: 404.
    public var routes: [Route]

    public init(domains: [DomainPattern], routes: [Route]) {
        self.domains = domains
        self.routes = routes
    }
}

/// Names are in lower case. An exact one may have a port, as in `reviews:9080`: it is then stronger than the
/// name alone, for requests that name the port.
public enum DomainPattern: Hashable, Sendable {
    case any
    case exact(String)
    /// `*.example.com` has the suffix `.example.com`, and matches one label before it or more.
    case suffix(String)
    /// `foo.*` has the prefix `foo.`, and matches one character after it or more. Weaker than any suffix.
    case prefix(String)
}

public struct Route: Hashable, Sendable {
    /// For people, metrics and logs: `default/reviews/0`, or the rule's own name instead of its number.
    public var name: String
    public var match: RouteMatch
    public var action: RouteAction
    public var requestHeaders: HeaderChanges
    public var responseHeaders: HeaderChanges

    public init(
        name: String, match: RouteMatch = RouteMatch(), action: RouteAction,
        requestHeaders: HeaderChanges = HeaderChanges(), responseHeaders: HeaderChanges = HeaderChanges()
    ) {
        self.name = name
        self.match = match
        self.action = action
        self.requestHeaders = requestHeaders
        self.responseHeaders = responseHeaders
    }
}

/// All parts must hold.
public struct RouteMatch: Hashable, Sendable {
    public var path: PathMatch
    /// Of ASCII letters. Not for a pattern, which says it by itself.
    public var pathIgnoresCase = false
    /// As it is in the request line; `nil` is any.
    public var method: String?
    public var headers: [NamedMatch]
    public var queryParameters: [NamedMatch]

    public init(
        path: PathMatch = .prefix("/"), method: String? = nil, headers: [NamedMatch] = [],
        queryParameters: [NamedMatch] = []
    ) {
        self.path = path
        self.method = method
        self.headers = headers
        self.queryParameters = queryParameters
    }
}

/// Patterns for the path without its query.
public enum PathMatch: Hashable, Sendable {
    case exact(String)
    /// Whole segments: `/a` matches `/a` and `/a/b`, and not `/ab`. Without a final slash, but for `/`.
    case prefix(String)
    /// Bytes, wherever a segment ends: `/a` matches `/ab` too.
    case textPrefix(String)
    /// The whole path, in the syntax of RE2.
    case regex(String)
}

/// A header or query parameter with a value. Names of headers are in lower case. What is not in the request
/// matches nothing, inverted or not, but for `present` inverted.
public struct NamedMatch: Hashable, Sendable {
    public var name: String
    public var value: ValueMatch
    public var inverts: Bool
    /// Of ASCII letters in the value. Not for a pattern, which says it by itself.
    public var ignoresCase: Bool
    /// What is not in the request counts as being there without a value.
    public var missingIsEmpty: Bool

    public init(
        name: String, value: ValueMatch, inverts: Bool = false, ignoresCase: Bool = false,
        missingIsEmpty: Bool = false
    ) {
        self.name = name
        self.value = value
        self.inverts = inverts
        self.ignoresCase = ignoresCase
        self.missingIsEmpty = missingIsEmpty
    }
}

public enum ValueMatch: Hashable, Sendable {
    case exact(String)
    case prefix(String)
    case suffix(String)
    case contains(String)
    /// Whatever the value is.
    case present
    /// The whole value, in the syntax of RE2.
    case regex(String)
}

public enum RouteAction: Hashable, Sendable {
    case forward(ForwardAction)
    case redirect(RedirectAction)
    /// Answers by itself: 500 for a rule without a valid backend.
    case respond(status: UInt16)
}

public struct ForwardAction: Hashable, Sendable {
    /// Shares of the requests; those of weight 0 get none. All 0, or none: 500.
    public var backends: [WeightedBackend]
    public var rewrite: URLRewrite?
    /// From the whole request to the whole response, in milliseconds; `nil` is without limit.
    public var requestTimeout: UInt32?
    /// For each attempt, in milliseconds.
    public var backendTimeout: UInt32?
    public var retry: RetryPolicy?
    /// What a consistent hash goes by: the first source that the request has. None: the client's address.
    public var hash: [HashSource]

    public init(
        backends: [WeightedBackend], rewrite: URLRewrite? = nil, requestTimeout: UInt32? = nil,
        backendTimeout: UInt32? = nil, retry: RetryPolicy? = nil, hash: [HashSource] = []
    ) {
        self.backends = backends
        self.rewrite = rewrite
        self.requestTimeout = requestTimeout
        self.backendTimeout = backendTimeout
        self.retry = retry
        self.hash = hash
    }
}

public enum HashSource: Hashable, Sendable {
    /// In lower case.
    case header(String)
    case sourceAddress
}

public struct WeightedBackend: Hashable, Sendable {
    /// `nil` for a reference that leads nowhere: its share of the requests gets 500.
    public var backend: BackendReference?
    public var weight: UInt32
    public var requestHeaders: HeaderChanges
    public var responseHeaders: HeaderChanges
    public var rewrite: URLRewrite?
    public var redirect: RedirectAction?

    public init(
        backend: BackendReference?, weight: UInt32 = 1, requestHeaders: HeaderChanges = HeaderChanges(),
        responseHeaders: HeaderChanges = HeaderChanges(), rewrite: URLRewrite? = nil,
        redirect: RedirectAction? = nil
    ) {
        self.backend = backend
        self.weight = weight
        self.requestHeaders = requestHeaders
        self.responseHeaders = responseHeaders
        self.rewrite = rewrite
        self.redirect = redirect
    }
}

/// A target: one TCP port of a service, or a cluster.
public enum BackendReference: Hashable, Sendable, CustomStringConvertible {
    case service(ServiceKey, port: UInt16)
    case cluster(String)

    public init(service: ServiceKey, port: UInt16) { self = .service(service, port: port) }

    /// `nil` for a cluster.
    public var servicePort: (key: ServiceKey, port: UInt16)? {
        switch self {
        case .service(let key, let port): (key, port)
        case .cluster: nil
        }
    }

    public var description: String {
        switch self {
        case .service(let key, let port): "\(key):\(port)"
        case .cluster(let name): name
        }
    }
}

/// Changes of headers; each name at most once over all three. Applied in the order set, add, remove.
public struct HeaderChanges: Hashable, Sendable {
    public var set: [HeaderValue]
    public var add: [HeaderValue]
    /// In lower case.
    public var remove: [String]

    public init(set: [HeaderValue] = [], add: [HeaderValue] = [], remove: [String] = []) {
        self.set = set
        self.add = add
        self.remove = remove
    }

    /// Not those that frame a message, address it or concern one connection. `name` is in lower case.
    public static func mayChange(_ name: String) -> Bool { !fixed.contains(name) }

    private static let fixed: Set<String> = [
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]

    public var isEmpty: Bool { self.set.isEmpty && add.isEmpty && remove.isEmpty }
}

/// The name as it is written, the value checked to be one: no line ends, no NUL.
public struct HeaderValue: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

public struct URLRewrite: Hashable, Sendable {
    public var host: String?
    public var path: PathRewrite?

    public init(host: String? = nil, path: PathRewrite? = nil) {
        self.host = host
        self.path = path
    }
}

/// The query stays as it is.
public enum PathRewrite: Hashable, Sendable {
    case full(String)
    /// Replaces the prefix that the route matched.
    case prefix(String)
}

/// What is `nil` is as in the request.
public struct RedirectAction: Hashable, Sendable {
    public var scheme: String?
    public var host: String?
    public var port: UInt16?
    public var path: PathRewrite?
    public var status: UInt16

    public init(
        scheme: String? = nil, host: String? = nil, port: UInt16? = nil, path: PathRewrite? = nil,
        status: UInt16 = 302
    ) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.status = status
    }
}

public struct RetryPolicy: Hashable, Sendable {
    /// Besides the first one.
    public var attempts: UInt32
    /// Responses that are worth another attempt; a connection that fails always is.
    public var codes: [UInt16]
    /// The least time between attempts, in milliseconds; it doubles with each, and up to a half is added.
    public var backoff: UInt32

    public init(attempts: UInt32 = 1, codes: [UInt16] = [], backoff: UInt32 = 25) {
        self.attempts = attempts
        self.codes = codes
        self.backoff = backoff
    }
}
