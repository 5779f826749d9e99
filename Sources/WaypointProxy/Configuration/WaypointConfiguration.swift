/// Everything that workers go by, whole and unchangeable. A new one replaces it in one step; what did not
/// change is the same object in both, so that a worker compares by identity.
internal import KmeshKit

final class WaypointConfiguration: Sendable {
    let version: UInt64
    /// By cluster number. A number stays with its cluster as long as that exists.
    let clusters: [ClusterConfiguration?]
    /// By table number; the numbers hold within this configuration only.
    let tables: [RouteTable]
    let targets: TargetIndex
    /// The table for listeners that belong to no service: by host name. `nil`: every request gets 404.
    let plainTable: Int32?
    /// `nil` without policies.
    let authorization: AuthorizationConfiguration?

    init(
        version: UInt64, clusters: [ClusterConfiguration?], tables: [RouteTable], targets: TargetIndex,
        plainTable: Int32?, authorization: AuthorizationConfiguration? = nil
    ) {
        self.version = version
        self.clusters = clusters
        self.tables = tables
        self.targets = targets
        self.plainTable = plainTable
        self.authorization = authorization
    }
}

/// Who may send requests, and to what.
final class AuthorizationConfiguration: Sendable {
    /// Rises when other policies are in force, or the same ones for other targets.
    let version: UInt64
    /// By number; the numbers hold within this configuration only.
    let sets: [PolicySet]
    /// By the numbers of the plain table's hosts; empty where no policy protects any of them.
    let hosts: [Protection]
    /// `nil` where no policy asks for identities.
    let identities: IdentityIndex?
    /// In the order of their keys.
    let policies: [AuthorizationPolicy]

    init(
        version: UInt64, sets: [PolicySet], hosts: [Protection], identities: IdentityIndex?,
        policies: [AuthorizationPolicy]
    ) {
        self.version = version
        self.sets = sets
        self.hosts = hosts
        self.identities = identities
        self.policies = policies
    }
}

/// What protects something that requests go to.
struct Protection: Hashable, Sendable {
    /// The number of the set of policies; -1 for none.
    var policies: Int32 = -1
    /// Where requests without a route of their own go; -1 for nowhere.
    var cluster: Int32 = -1
    /// The service's port; 0 is the one that was dialed.
    var port: UInt16 = 0
}

/// The endpoints of one TCP port of a service, and how to choose among them.
final class ClusterConfiguration: Sendable {
    let number: Int32
    let backend: BackendReference
    let policy: UpstreamPolicy
    /// Those that take new requests: the best locality tier first, each tier contiguous.
    let endpoints: [EndpointConfiguration]
    let limits: ClusterLimits

    init(
        number: Int32, backend: BackendReference, policy: UpstreamPolicy, endpoints: [EndpointConfiguration],
        limits: ClusterLimits
    ) {
        self.number = number
        self.backend = backend
        self.policy = policy
        self.endpoints = endpoints
        self.limits = limits
    }
}

struct EndpointConfiguration: Hashable, Sendable {
    var address: SocketAddress
    var weight: UInt32
    /// 0 is the best; endpoints of a higher tier are used only when all of lower ones fail.
    var tier: UInt8
}

/// Bounds for each cluster and worker.
struct ClusterLimits: Hashable, Sendable {
    var connections: Int32 = 4096
    var pendingRequests: Int32 = 1024
}

/// What a connection's original destination means: a service port, or a workload's own address.
struct Target: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case service(BackendReference)
        /// Any port of a workload; the endpoint is the destination itself.
        case workload(uid: String)
    }

    var kind: Kind
    var applicationProtocol: ApplicationProtocol
    /// Where bytes and requests without a route go; -1 for a workload.
    var cluster: Int32
    /// Routes of the service port; `nil`: all requests go to `cluster`.
    var table: Int32?
    /// The number of the set of policies that protect it; -1 for none.
    var policies: Int32 = -1

    var protection: Protection {
        var protection = Protection(policies: policies, cluster: cluster)
        if case .service(let backend) = kind { protection.port = backend.servicePort?.port ?? 0 }
        return protection
    }
}
