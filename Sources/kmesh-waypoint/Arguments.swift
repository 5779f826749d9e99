/// The flags of `kmesh-waypoint`.
import KmeshKit
import Logging
import WaypointProxy

struct Arguments: Sendable {
    var meshFile: String?
    var allowEmpty = false
    var listen: [ListenFlag] = []
    var statusAddress = SocketAddress(IPAddress(high: 0, low: 0), 15021)
    var trustedProxies: [AddressPrefix] = []
    var metadata = MetadataChoice.both
    var proxy = ProxyOptions()
    var drainTimeout: Int64 = 30_000
    var maxClusterConnections: Int32 = 4096
    var maxPending: Int32 = 1024
    var accessLog = AccessLogFormat.off
    var accessLogFile: String?
    var logLevel = Logger.Level.info
    var nodeName: String?
    var namespace = "default"
    var waypoint: (namespace: String, name: String)?
    var upgradeSocket: String?

    func options() throws(FlagError) -> WaypointOptions {
        guard let meshFile else {
            throw FlagError("--mesh-file is missing: name the mesh's file or directory")
        }
        if accessLogFile != nil, accessLog == .off {
            throw FlagError("--access-log-file without --access-log: add --access-log=text or json")
        }
        try checkListeners()
        let standard = [
            ListenFlag(place: SocketAddress(IPAddress(high: 0, low: 0), 8080), kind: .plain),
            ListenFlag(place: SocketAddress(IPAddress(high: 0, low: 0), 15019), kind: .metadata),
        ]
        let environmentName = ProcessIdentity.environment("NODE_NAME").flatMap { $0.isEmpty ? nil : $0 }
        var options = WaypointOptions(source: meshFile)
        options.listeners = (listen.isEmpty ? standard : listen).map { flag in
            var specification = flag.specification(namespace: namespace, trusting: trustedProxies)
            if case .metadata = specification.kind {
                specification.kind = .metadata(option: metadata != .tlv, prefix: metadata != .option)
            }
            return specification
        }
        options.proxy = proxy
        options.statusAddress = statusAddress
        options.drainTimeout = .milliseconds(drainTimeout)
        options.maxClusterConnections = maxClusterConnections
        options.maxPendingRequests = maxPending
        options.accessLog = accessLog
        options.accessLogFile = accessLogFile
        options.nodeName = nodeName ?? environmentName ?? ProcessIdentity.hostName
        options.namespace = namespace
        options.waypoint = waypoint.map { serviceKey("\($0.name).\($0.namespace)", namespace: $0.namespace) }
        options.upgradeSocket = upgradeSocket
        return options
    }

    /// The kernel would let two listeners share an address, and choose one of them for each connection.
    private func checkListeners() throws(FlagError) {
        var places: Set<SocketAddress> = []
        for flag in listen where flag.place.port != 0 {
            guard places.insert(flag.place).inserted else {
                throw FlagError("--listen names \(flag.place) twice: choose another port for one of them")
            }
        }
    }
}

/// How a conveyed destination may arrive.
enum MetadataChoice: String, CaseIterable {
    case both, option, tlv
}

extension Arguments {
    static let usage = """
        Usage: kmesh-waypoint --mesh-file <path> [<flags>]

        Routes HTTP and passes other TCP through, by itself or behind the dual engine.
        Runs in the foreground until SIGTERM or SIGINT, which drain. SIGHUP reads the mesh files again,
        SIGUSR1 opens the access log anew.
        """

    static let flags = FlagSet<Arguments>(flags: sources + sockets + times + bounds + telemetry)

    private static func duration(
        _ name: String, _ path: any WritableKeyPath<Arguments, Int64> & Sendable, _ help: String,
        aliases: [String] = []
    ) -> Flag<Arguments> {
        Flag(
            name: name, aliases: aliases, placeholder: "duration", help: help,
            standard: text(milliseconds: Arguments()[keyPath: path])
        ) { (values, text) throws(FlagValueError) in values[keyPath: path] = try FlagValue.duration(text) }
    }

    private static func number<Number: FixedWidthInteger & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Arguments, Number> & Sendable,
        _ range: ClosedRange<Number>, _ help: String, standard: String? = nil, aliases: [String] = []
    ) -> Flag<Arguments> {
        Flag(
            name: name, aliases: aliases, placeholder: "number", help: help,
            standard: standard ?? "\(Arguments()[keyPath: path])"
        ) { (values, text) throws(FlagValueError) in
            values[keyPath: path] = try FlagValue.number(text, in: range)
        }
    }

    private static func text(milliseconds: Int64) -> String {
        for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] as [(String, Int64)]
        where milliseconds >= factor && milliseconds % factor == 0 {
            return "\(milliseconds / factor)\(unit)"
        }
        return "\(milliseconds)ms"
    }

    private static let sources: [Flag<Arguments>] = [
        Flag(
            name: "mesh-file", placeholder: "path",
            help: "The mesh: a YAML or JSON file, or a directory of such files. Required."
        ) { values, text in values.meshFile = text },
        Flag(
            name: "allow-empty", placeholder: nil,
            help: "Let a reload leave the mesh without any service and workload."
        ) { values, _ in values.allowEmpty = true },
        Flag(
            name: "node-name", placeholder: "name",
            help: "This node's name, from which near and far are seen.",
            standard: "$NODE_NAME, else the host's name"
        ) { values, text in values.nodeName = text },
        Flag(
            name: "namespace", placeholder: "name", help: "Where short names of services are looked up.",
            standard: "default"
        ) { values, text in values.namespace = text },
        Flag(
            name: "waypoint", placeholder: "namespace/name",
            help: "Take only conveyed destinations that ask for this waypoint.",
            standard: "every frontend of the mesh"
        ) { (values, text) throws(FlagValueError) in values.waypoint = try FlagValue.namespacedName(text) },
    ]

    private static let sockets: [Flag<Arguments>] = [
        Flag(
            name: "listen", placeholder: "listener",
            help: "[ADDRESS:]PORT: HTTP by host name. …=metadata: the original destination is conveyed. "
                + "…=SERVICE[.NAMESPACE]:PORT: everything belongs to one service. May be repeated.",
            standard: "8080 and 15019=metadata", isRepeatable: true
        ) { (values, text) throws(FlagValueError) in values.listen.append(try ListenFlag(text)) },
        Flag(
            name: "status-address", placeholder: "address",
            help: "Where health, metrics and the configuration are shown.", standard: ":15021"
        ) { (values, text) throws(FlagValueError) in values.statusAddress = try FlagValue.place(text) },
        Flag(
            name: "trusted-proxies", placeholder: "networks",
            help: "Whose PROXY protocol headers are believed: 10.0.0.0/8,fd00::/8.", standard: "nobody's"
        ) { (values, text) throws(FlagValueError) in values.trustedProxies = try FlagValue.networks(text) },
        Flag(
            name: "waypoint-metadata", placeholder: "form",
            help: "How a conveyed destination may arrive: both, option (of the SYN) or tlv.",
            standard: "both"
        ) { (values, text) throws(FlagValueError) in
            values.metadata = try FlagValue.choice(text, MetadataChoice.self)
        },
        Flag(
            name: "upgrade-socket", placeholder: "path",
            help: "Where a running process hands over its listeners to one that starts.",
            standard: "no hot upgrade"
        ) { values, text in values.upgradeSocket = text },
        number(
            "threads", \.proxy.workers, 1...256, "Threads that serve.", standard: "one for each core",
            aliases: ["concurrency"]),
        number(
            "spin-us", \.proxy.spinMicroseconds, 0...1_000_000,
            "Microseconds that a thread looks for work before it sleeps."),
    ]

    private static let times: [Flag<Arguments>] = [
        duration(
            "protocol-detection-timeout", \.proxy.timeouts.protocolDetection,
            "How long a client may be silent before its stream is passed through."),
        duration("connect-timeout", \.proxy.timeouts.connect, "For an endpoint to accept."),
        duration(
            "request-header-timeout", \.proxy.timeouts.requestHead,
            "From the first byte of a request's head to its last one."),
        duration("idle-timeout", \.proxy.timeouts.downstreamIdle, "Between two requests of a client."),
        duration(
            "stream-idle-timeout", \.proxy.timeouts.streamIdle,
            "Without a byte, for streams that are passed through."),
        duration(
            "drain-timeout", \.drainTimeout, "How long requests under way may take when the process ends."),
    ]

    private static let bounds: [Flag<Arguments>] = [
        number(
            "max-connections", \.proxy.limits.connections, 1...(1 << 24),
            "Connections of clients for each thread."),
        number(
            "max-cluster-connections", \.maxClusterConnections, 1...(1 << 20),
            "Connections to a service's port for each thread."),
        number(
            "max-pending", \.maxPending, 0...(1 << 20),
            "Requests for each thread that wait for a connection to a service's port."),
        number("max-header-bytes", \.proxy.limits.head, 1024...65_536, "Of a request's head; 431 beyond."),
        number("max-header-count", \.proxy.limits.fields, 1...1000, "Header lines; 431 beyond."),
        number(
            "max-body-bytes", \.proxy.limits.body, 0...(1 << 50), "Of a request; 413 beyond. 0: no limit."),
    ]

    private static let telemetry: [Flag<Arguments>] = [
        Flag(
            name: "access-log", placeholder: "format", help: "A line for each request: off, text or json.",
            standard: "off"
        ) { (values, text) throws(FlagValueError) in
            values.accessLog = try FlagValue.choice(text, AccessLogFormat.self)
        },
        Flag(
            name: "access-log-file", placeholder: "path", help: "Where the access log goes.",
            standard: "standard output"
        ) { values, text in values.accessLogFile = text },
        Flag(
            name: "log-level", placeholder: "level",
            help:
                "The least important lines of the log: trace, debug, info, notice, warning, error, critical.",
            standard: "info"
        ) { (values, text) throws(FlagValueError) in
            values.logLevel = try FlagValue.choice(text, Logger.Level.self)
        },
    ]
}
