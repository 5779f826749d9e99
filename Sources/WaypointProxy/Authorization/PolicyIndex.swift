/// The policies that waypoints enforce, and the set of them that each target has. Policies that name no
/// targets are for the nodes: here they are as good as none.
internal import KmeshKit

struct PolicyIndex: Sendable {
    /// By number; the numbers hold within one configuration only.
    private(set) var sets: [PolicySet] = []
    private var policies: [PolicyKey: AuthorizationPolicy] = [:]
    private var keys: [PolicyTarget: Set<PolicyKey>] = [:]
    private var numbers: [[PolicyKey]: Int32] = [:]
    /// Sets whose policies are the same as before.
    private var kept: [[PolicyKey]: PolicySet] = [:]
    private let names: StatisticNames

    init(names: StatisticNames) { self.names = names }

    var isEmpty: Bool { policies.isEmpty }

    /// In the order of their keys.
    private(set) var sorted: [AuthorizationPolicy] = []
    /// Whether a policy asks who a source is.
    private(set) var readsIdentity = false

    /// Whether something changed for a waypoint.
    mutating func set(_ policy: AuthorizationPolicy?, for key: PolicyKey) -> Bool {
        var new = policy
        if case .targets = new?.scope {} else { new = nil }
        let old = policies[key]
        guard old != new else { return false }
        for target in old?.targets ?? [] {
            keys[target]?.remove(key)
            if keys[target]?.isEmpty == true { keys[target] = nil }
        }
        for target in new?.targets ?? [] { keys[target, default: []].insert(key) }
        policies[key] = new
        kept = kept.filter { !$0.key.contains(key) }
        return true
    }

    /// After changes of policies. Every target asks for its number again.
    mutating func renumber() {
        sets = []
        numbers = [:]
        sorted = policies.values.sorted { $0.key < $1.key }
        readsIdentity = sorted.contains { policy in
            policy.rules.contains { $0.clauses.contains { $0.contains(where: \.readsIdentity) } }
        }
    }

    /// Forgets sets that no target has any more.
    mutating func forgetUnused() {
        kept = kept.filter { numbers[$0.key] != nil }
    }

    /// The number of the set of what belongs to all of `targets`; -1 where no policy does.
    mutating func number(for targets: [PolicyTarget]) -> Int32 {
        if policies.isEmpty { return -1 }
        var found: Set<PolicyKey> = []
        for target in targets { found.formUnion(keys[target] ?? []) }
        if found.isEmpty { return -1 }
        let sorted = found.sorted()
        if let number = numbers[sorted] { return number }
        let number = Int32(sets.count)
        sets.append(compiled(sorted))
        numbers[sorted] = number
        return number
    }

    private mutating func compiled(_ sorted: [PolicyKey]) -> PolicySet {
        if let same = kept[sorted] { return same }
        let names = names
        let set = PolicySet(
            sorted.compactMap { policies[$0] },
            statistics: sorted.map { names.number(ofPolicy: "\($0.namespace)/\($0.name)") })
        kept[sorted] = set
        return set
    }
}

extension AuthorizationPolicy {
    /// Without those that are named twice.
    fileprivate var targets: Set<PolicyTarget> {
        guard case .targets(let targets) = scope else { return [] }
        return Set(targets)
    }
}

extension PolicyTarget {
    /// The Gateway that a waypoint's service belongs to: it has the same name.
    static func gateway(of service: ServiceKey) -> PolicyTarget {
        .gateway(namespace: service.namespace, name: String(service.hostname.prefix { $0 != "." }))
    }
}
