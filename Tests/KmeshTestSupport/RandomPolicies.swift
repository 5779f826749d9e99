public import KmeshKit

/// Random policies, workloads and connections from one seed. All are made of few words, blocks and ports,
/// so that they meet often, and so that what is nearly the same meets too.
public struct RandomPolicies: Sendable {
    public var random: SplitMix64

    public init(seed: UInt64) { random = SplitMix64(seed: seed) }

    public static let namespaces = ["prod", "prod-eu", "test", "web", "default"]
    public static let serviceAccounts = ["api", "api-v2", "admin", "default"]
    public static let ports: [UInt16] = [80, 443, 8080, 9090, 15008]
    /// Each inside another one, or beside it; of both families.
    public static let blocks = [
        "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.0/25", "10.1.2.3/32", "10.1.2.4",
        "10.2.0.0/16", "192.168.0.0/16", "128.0.0.0/1", "::/0", "::/1", "8000::/1", "fd00::/8", "fd00::/64",
        "fd00:0:0:1::/64", "fd00::1:2:3/112", "fd00::5/128", "2000::/3", "::/95", "::fffe:0:0/96",
    ]
    public static let addresses = [
        "10.1.2.3", "10.1.2.4", "10.1.2.200", "10.1.3.1", "10.2.0.7", "10.9.9.9", "192.168.7.1", "172.16.0.1",
        "8.8.8.8", "fd00::5", "fd00::6", "fd00:0:0:1::5", "fd00::1:2:9", "fd01::1", "2001:db8::1", "fe80::1",
        "::fffe:1:2", "::1:2",
    ].compactMap { IPAddress($0) }

    public mutating func isLucky(_ probability: Double) -> Bool {
        Double.random(in: 0..<1, using: &random) < probability
    }

    public mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    public mutating func one<Element>(of elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }

    /// Some of the elements, in their order.
    public mutating func some<Element>(of elements: [Element], _ probability: Double) -> [Element] {
        elements.filter { _ in isLucky(probability) }
    }

    /// - Parameter requests: whether rules may ask for what only a proxy sees.
    public mutating func policy(
        _ key: PolicyKey, scope: PolicyScope = .namespace, requests: Bool = true
    ) -> AuthorizationPolicy {
        AuthorizationPolicy(
            key: key, action: isLucky(0.5) ? .allow : .deny, scope: scope, isDryRun: isLucky(0.2),
            rules: (0..<number(0...3)).map { _ in rule(requests: requests) })
    }

    public mutating func rule(requests: Bool = true) -> PolicyRule {
        PolicyRule(
            clauses: (0..<number(0...3)).map { _ in
                (0..<(isLucky(0.05) ? 0 : number(1...3))).map { _ in match(requests: requests) }
            })
    }

    public mutating func match(requests: Bool = true) -> PolicyMatch {
        var match = PolicyMatch()
        // Mostly one attribute, as people write them.
        repeat {
            switch number(0...6) {
            case 0: match.namespaces = patterns { $0.namespacePattern() }
            case 1: match.principals = patterns { $0.principalPattern() }
            case 2: match.serviceAccounts = patterns { $0.serviceAccount() }
            case 3: match.sourceBlocks = patterns { $0.block() }
            case 4: match.destinationBlocks = patterns { $0.block() }
            case 5: match.destinationPorts = patterns { $0.one(of: Self.ports) }
            default: if requests, isLucky(0.5) { match.request = request() }
            }
        } while isLucky(0.4)
        return match
    }

    private mutating func patterns<Pattern: Hashable & Sendable>(
        _ make: (inout Self) -> Pattern
    ) -> Patterns<Pattern> {
        let anyCount = isLucky(0.75) ? number(1...3) : 0
        let noneCount = isLucky(0.3) ? number(1...2) : 0
        return Patterns(
            any: (0..<anyCount).map { _ in make(&self) }, none: (0..<noneCount).map { _ in make(&self) })
    }

    private mutating func namespacePattern() -> StringMatch {
        let name = one(of: Self.namespaces + ["nowhere"])
        switch number(0...9) {
        case 0...5: return .exact(name)
        case 6: return .prefix(String(name.prefix(number(0...5))))
        case 7: return .suffix(String(name.suffix(number(0...3))))
        case 8: return .present
        default: return StringMatch(one(of: ["prod*", "*", "*st", "", "prod-*"]))
        }
    }

    private mutating func principalPattern() -> StringMatch {
        let account = serviceAccount()
        let principal = WorkloadIdentity(namespace: account.namespace, serviceAccount: account.name).principal
        switch number(0...9) {
        case 0...4: return .exact(principal)
        case 5: return .prefix(String(principal.prefix(number(0...principal.utf8.count))))
        case 6: return .suffix(String(principal.suffix(number(0...12))))
        case 7: return .prefix("cluster.local/ns/\(account.namespace)/sa/")
        case 8: return .present
        default:
            return StringMatch(
                one(of: [
                    "other.domain/ns/prod/sa/api", "prod/api", "", "*/sa/api", "cluster.local/ns/prod*",
                    "cluster.local/ns/prod/sa/api/", "spiffe://cluster.local/ns/prod/sa/api",
                    "cluster.local/*",
                ]))
        }
    }

    public mutating func serviceAccount() -> ServiceAccountName {
        ServiceAccountName(
            namespace: one(of: Self.namespaces), name: one(of: Self.serviceAccounts + ["nobody"]))
    }

    private mutating func block() -> IPBlock {
        if isLucky(0.2), let block = IPBlock(address(), prefixLength: number(0...32)) { return block }
        let block = IPBlock(one(of: Self.blocks))
        guard let block else { preconditionFailure("a block of the list cannot be read") }
        return block
    }

    private mutating func request() -> RequestMatch {
        var request = RequestMatch()
        request.methods = Patterns(any: [.exact("GET")])
        return request
    }

    /// One that policies speak of, or one that nobody knows.
    public mutating func address() -> IPAddress {
        isLucky(0.9) ? one(of: Self.addresses) : IPAddress(v4: UInt32(truncatingIfNeeded: random.next()))
    }

    public mutating func port() -> UInt16 {
        isLucky(0.8) ? one(of: Self.ports) : UInt16(truncatingIfNeeded: random.next())
    }

    public mutating func workload(_ name: String, in namespace: String? = nil) -> Workload {
        let namespace = namespace ?? one(of: Self.namespaces)
        let addresses = (0..<number(1...2)).map { _ in one(of: Self.addresses) }
        let kind = isLucky(0.8) ? "Pod" : "WorkloadEntry"
        var workload = Workload(
            uid: "\(kind)/\(namespace)/\(name)", name: name, namespace: namespace, addresses: addresses)
        workload.serviceAccount = isLucky(0.9) ? one(of: Self.serviceAccounts) : ""
        workload.sharesAddresses = isLucky(0.05)
        workload.probePorts = isLucky(0.2) ? [8080] : []
        return workload
    }
}
