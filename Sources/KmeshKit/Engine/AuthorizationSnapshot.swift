/// What authorization has in force and has done, as plain values for people and tools to read.
public struct AuthorizationSnapshot: Hashable, Sendable {
    public var isEnforcing: Bool
    public var hook: AuthorizationHook
    /// Sorted by name; those that targets' waypoints enforce are left out.
    public var policies: [PolicySnapshot]
    /// Sorted by pod.
    public var workloads: [ProtectedWorkload]
    /// Established connections that a changed policy has ended.
    public var endedConnections: UInt64
    public var reasons: [ReasonCount]
    public var maps: [MapSnapshot]

    public init(
        isEnforcing: Bool = true, hook: AuthorizationHook = .xdp, policies: [PolicySnapshot] = [],
        workloads: [ProtectedWorkload] = [], endedConnections: UInt64 = 0, reasons: [ReasonCount] = [],
        maps: [MapSnapshot] = []
    ) {
        self.isEnforcing = isEnforcing
        self.hook = hook
        self.policies = policies
        self.workloads = workloads
        self.endedConnections = endedConnections
        self.reasons = reasons
        self.maps = maps
    }
}

public struct PolicySnapshot: Hashable, Sendable {
    public var policy: PolicyKey
    public var action: PolicyAction
    public var isDryRun: Bool
    /// Enrolled workloads that it protects.
    public var workloadCount: UInt64
    /// Connections that a rule of it has denied, or would have.
    public var denied: UInt64

    public init(
        policy: PolicyKey, action: PolicyAction, isDryRun: Bool, workloadCount: UInt64, denied: UInt64
    ) {
        self.policy = policy
        self.action = action
        self.isDryRun = isDryRun
        self.workloadCount = workloadCount
        self.denied = denied
    }
}

public struct ProtectedWorkload: Hashable, Sendable {
    public var pod: PodName
    public var addresses: [IPAddress]
    public var policies: [PolicyKey]
    /// How the program is attached: `generic` or `native` for XDP, `sk_lookup`.
    public var attachment: String
    /// Ports whose probes by kubelet pass.
    public var probePorts: [UInt16]

    public init(
        pod: PodName, addresses: [IPAddress], policies: [PolicyKey], attachment: String, probePorts: [UInt16]
    ) {
        self.pod = pod
        self.addresses = addresses
        self.policies = policies
        self.attachment = attachment
        self.probePorts = probePorts
    }
}

/// What somebody asks: may this one connect to that one?
public struct AuthorizationQuestion: Hashable, Sendable {
    public enum Peer: Hashable, Sendable, CustomStringConvertible {
        case address(IPAddress)
        case pod(PodName)

        /// An address, or `namespace/name` of a pod.
        public init?(_ text: String) {
            if let address = IPAddress(text) {
                self = .address(address)
            } else if let pod = PodName(text) {
                self = .pod(pod)
            } else {
                return nil
            }
        }

        public var description: String {
            switch self {
            case .address(let address): "\(address)"
            case .pod(let pod): "\(pod)"
            }
        }
    }

    public var source: Peer
    public var destination: Peer
    public var port: UInt16

    public init(source: Peer, destination: Peer, port: UInt16) {
        self.source = source
        self.destination = destination
        self.port = port
    }
}

/// A connection that somebody asks about.
public struct AuthorizationQuery: Hashable, Sendable {
    public var source: IPAddress
    public var destination: IPAddress
    public var port: UInt16

    public init(source: IPAddress, destination: IPAddress, port: UInt16) {
        self.source = source
        self.destination = destination
        self.port = port
    }
}

public struct AuthorizationExplanation: Hashable, Sendable {
    public var query: AuthorizationQuery
    /// The source's workload and principal; `nil` when nobody is known by the address, or several are.
    public var sourceWorkload: String?
    public var principal: String?
    public var destinationWorkload: String?
    /// Policies that protect the destination, sorted.
    public var policies: [PolicyKey]
    public var isAllowed: Bool
    /// The reason in words, with the policy's name.
    public var reason: String
    public var trialDenials: [PolicyKey]
    /// What the kernel's program said of such a packet when it was run for it; `nil` if it cannot be.
    public var kernelVerdict: String?

    public init(
        query: AuthorizationQuery, sourceWorkload: String? = nil, principal: String? = nil,
        destinationWorkload: String? = nil, policies: [PolicyKey] = [], isAllowed: Bool, reason: String,
        trialDenials: [PolicyKey] = [], kernelVerdict: String? = nil
    ) {
        self.query = query
        self.sourceWorkload = sourceWorkload
        self.principal = principal
        self.destinationWorkload = destinationWorkload
        self.policies = policies
        self.isAllowed = isAllowed
        self.reason = reason
        self.trialDenials = trialDenials
        self.kernelVerdict = kernelVerdict
    }
}
