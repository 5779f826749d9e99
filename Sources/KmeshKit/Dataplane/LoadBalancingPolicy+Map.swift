/// How the service map says a policy.
internal import CKmeshABI

extension LoadBalancingPolicy {
    /// - Parameter isEven: whether all endpoints have the same weight.
    func mapValue(isEven: Bool) -> UInt32 {
        switch self {
        case .random: KMESH_POLICY_RANDOM.rawValue
        case .weighted: KMESH_POLICY_TABLE_RANDOM.rawValue
        case .maglev: KMESH_POLICY_TABLE_HASH.rawValue
        case .roundRobin where isEven: KMESH_POLICY_ROUND_ROBIN.rawValue
        case .roundRobin: KMESH_POLICY_TABLE_ROUND_ROBIN.rawValue
        case .leastRequest: KMESH_POLICY_LEAST_REQUEST.rawValue
        }
    }

    /// `nil` for a number that no policy has.
    init?(mapValue: UInt32) {
        switch mapValue {
        case KMESH_POLICY_RANDOM.rawValue: self = .random
        case KMESH_POLICY_TABLE_RANDOM.rawValue: self = .weighted
        case KMESH_POLICY_TABLE_HASH.rawValue: self = .maglev
        case KMESH_POLICY_ROUND_ROBIN.rawValue, KMESH_POLICY_TABLE_ROUND_ROBIN.rawValue: self = .roundRobin
        case KMESH_POLICY_LEAST_REQUEST.rawValue: self = .leastRequest
        default: return nil
        }
    }

    /// Whether endpoints have slots of a table, by their weights, instead of one each.
    static func usesTable(mapValue: UInt32) -> Bool {
        mapValue == KMESH_POLICY_TABLE_RANDOM.rawValue || mapValue == KMESH_POLICY_TABLE_HASH.rawValue
            || mapValue == KMESH_POLICY_TABLE_ROUND_ROBIN.rawValue
    }

    /// Whether only an engine that counts connections has it.
    var needsCounting: Bool {
        switch self {
        case .random, .weighted, .maglev: false
        case .roundRobin, .leastRequest: true
        }
    }
}

extension WantedServicePort {
    /// The policy as the service map says it.
    var mapPolicy: UInt32 {
        policy.mapValue(isEven: endpoints.allSatisfy { $0.weight == endpoints.first?.weight })
    }

    var usesTable: Bool { LoadBalancingPolicy.usesTable(mapValue: mapPolicy) }

    /// `enum kmesh_service_flags`.
    var mapFlags: UInt32 {
        var flags: UInt32 = 0
        if affinityTimeout != nil { flags |= KMESH_SERVICE_AFFINITY.rawValue }
        if isStrictlyUnmatched { flags |= KMESH_SERVICE_STRICT.rawValue }
        if policy == .leastRequest { flags |= KMESH_SERVICE_COUNTED.rawValue }
        if isLimited { flags |= KMESH_SERVICE_LIMITED.rawValue }
        return flags
    }
}
