// Compiled policies decide what the evaluator decides, whatever the policies and requests are.
import KmeshKit
import Testing

@testable import WaypointProxy

extension PolicySet {
    /// Each policy is counted by its place in the order of keys.
    convenience init(_ policies: [AuthorizationPolicy]) {
        let sorted = policies.sorted { $0.key < $1.key }
        self.init(sorted, statistics: sorted.indices.map { Int32($0) })
    }
}

/// In the evaluator's words.
private func decision(
    _ verdict: PolicyVerdict, _ trials: [Int32], _ sorted: [AuthorizationPolicy]
) -> PolicyDecision {
    let reason: PolicyDecision.Reason =
        switch verdict.outcome {
        case .unrestricted: .notRestricted
        case .allowed: .allowed(by: sorted[Int(verdict.policy)].key)
        case .denied: .denied(by: sorted[Int(verdict.policy)].key)
        case .notAllowed: .notAllowed
        }
    return PolicyDecision(reason: reason, trialDenials: trials.map { sorted[Int($0)].key })
}

private func decide(
    _ policies: [AuthorizationPolicy], _ connection: PolicyConnection, _ sample: PolicyRequestSample?
) -> (decision: PolicyDecision, verdict: PolicyVerdict) {
    let sorted = policies.sorted { $0.key < $1.key }
    let set = PolicySet(policies)
    let subject = PolicySubject(
        source: connection.source, identity: connection.identity.map { SourceIdentity($0) },
        destination: connection.destination, port: connection.port)
    let request = sample?.parsed
    let fields = Slab<HeaderField>(capacity: 64)
    for (number, field) in (request?.fields ?? []).enumerated() { fields[Int32(number)] = field }
    let bytes = request?.bytes ?? []
    let head = request?.head ?? RequestHead()
    let path = Array(bytes[head.path.range])
    var trials: [Int32] = []
    let compiled = sample == nil ? set.streams : set.requests
    let verdict = compiled.decide(subject, head, fields, bytes.span, path: path.span, trials: &trials)
    return (decision(verdict, trials, sorted), verdict)
}

@Suite struct CompiledPoliciesTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func requestsAreDecidedAsTheEvaluatorDoes(seed: UInt64) {
        var generator = PolicyGenerator(random: SplitMix64(seed: seed))
        var counts: [String: Int] = [:]
        for _ in 0..<FuzzInput.iterations {
            let policies = generator.policies()
            for _ in 0..<4 {
                let (connection, sample) = (generator.connection(), generator.sample())
                #expect(sample.parsed.verdict == .complete, "\(sample)")
                let expected = PolicyEvaluator.decide(policies, on: connection, request: sample.plain)
                let found = decide(policies, connection, sample)
                #expect(found.decision == expected, "seed \(seed): \(policies) \(connection) \(sample)")
                counts["\(found.verdict.outcome)", default: 0] += 1
                if !expected.trialDenials.isEmpty { counts["trial", default: 0] += 1 }
                expectRule(found.verdict, policies, connection, sample)
            }
        }
        for outcome in ["unrestricted", "allowed", "denied", "notAllowed", "trial"] {
            #expect(
                counts[outcome, default: 0] > FuzzInput.iterations / 20, "seed \(seed): too few \(outcome)")
        }
    }

    /// The rule that is named matches alone, and none before it does.
    private func expectRule(
        _ verdict: PolicyVerdict, _ policies: [AuthorizationPolicy], _ connection: PolicyConnection,
        _ sample: PolicyRequestSample
    ) {
        guard verdict.policy >= 0 else { return }
        var alone = policies.sorted { $0.key < $1.key }[Int(verdict.policy)]
        let rules = alone.rules
        for (number, rule) in rules.enumerated() where number <= Int(verdict.rule) {
            (alone.action, alone.rules) = (.deny, [rule])
            let denies = !PolicyEvaluator.decide([alone], on: connection, request: sample.plain).isAllowed
            #expect(denies == (number == Int(verdict.rule)), "\(alone) \(sample)")
        }
    }

    /// A policy for streams: what asks for requests counts as met where it denies, and never where it allows.
    private func blind(_ policy: AuthorizationPolicy) -> AuthorizationPolicy {
        var blind = policy
        if policy.action == .allow { blind.rules.removeAll(where: \.needsRequest) }
        for rule in blind.rules.indices {
            for clause in blind.rules[rule].clauses.indices {
                for match in blind.rules[rule].clauses[clause].indices
                where blind.rules[rule].clauses[clause][match].request != nil {
                    blind.rules[rule].clauses[clause][match].request = nil
                    // Of every family, so that it is no match without patterns.
                    if blind.rules[rule].clauses[clause][match].isEmptyAtL4 {
                        blind.rules[rule].clauses[clause][match].sourceBlocks.any =
                            ["0.0.0.0/0", "::/0"].compactMap { IPBlock($0) }
                    }
                }
            }
        }
        return blind
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func streamsAreDecidedAsTheEvaluatorDoes(seed: UInt64) {
        var generator = PolicyGenerator(random: SplitMix64(seed: seed))
        var denied = 0
        for _ in 0..<FuzzInput.iterations {
            let policies = generator.policies()
            for _ in 0..<4 {
                let connection = generator.connection()
                let expected = PolicyEvaluator.decide(policies.map(blind), on: connection)
                // Never less strict than where nothing but connections is ever seen.
                let lenient = PolicyEvaluator.decide(policies, on: connection)
                #expect(lenient.isAllowed || !expected.isAllowed)
                #expect(
                    decide(policies, connection, nil).decision == expected,
                    "seed \(seed): \(policies) \(connection)")
                denied += expected.isAllowed ? 0 : 1
            }
        }
        #expect(denied > FuzzInput.iterations / 5)
    }

    @Test func theDetailsNameTheRuleAsEnvoyDoes() {
        let policies = [
            policy("web", .deny, for: [.waypoints], [paths("/a"), paths("/b")]),
            policy("allow", .allow, for: [.waypoints], [paths("/c")]),
        ]
        let set = PolicySet(policies)
        func details(_ path: String) -> String {
            let sample = PolicyRequestSample(method: "GET", host: "a", path: path, headers: [])
            let nobody = PolicyConnection(
                source: address("10.0.0.1"), identity: nil, destination: address("10.0.0.2"), port: 80)
            return String(
                decoding: set.details(of: decide(policies, nobody, sample).verdict), as: UTF8.self)
        }
        #expect(details("/b") == "rbac_access_denied_matched_policy[ns[default]-policy[web]-rule[1]]")
        #expect(details("/d") == "rbac_access_denied_matched_policy[none]")
    }

    @Test func whatNoPolicyAsksForIsNotFoundOut() {
        let plain = PolicySet([policy("a", .deny, for: [.waypoints], [methods("GET")])])
        #expect(!plain.readsIdentity && !plain.readsDestination && !plain.readsPaths)
        #expect(PolicySet([policy("a", .deny, for: [.waypoints], [paths("/a")])]).readsPaths)
        let port = PolicySet([
            policy("a", .deny, for: [.waypoints], [rule { $0.destinationPorts.none = [1] }])
        ])
        #expect(port.readsDestination && !port.readsIdentity)
        let named = PolicySet([
            policy("a", .allow, for: [.waypoints], [rule { $0.namespaces.none = [.present] }])
        ])
        #expect(named.readsIdentity)
    }

    /// An absolute target makes the Host line void, for policies as for routes.
    @Test func theHostIsThatOfAnAbsoluteTarget() {
        var hosts = RequestMatch()
        hosts.headers = [RequestMatch.HeaderMatch(name: "host", values: Patterns(any: [.exact("good")]))]
        for match in [requestRule { $0.hosts.any = [.exact("good")] }, requestRule { $0 = hosts }] {
            let set = PolicySet([policy("a", .allow, for: [.waypoints], [match])])
            let parsed = ParsedRequest("GET http://bad/ HTTP/1.1\r\nHost: good\r\n\r\n")
            let fields = Slab<HeaderField>(capacity: 8)
            for (number, field) in parsed.fields.enumerated() { fields[Int32(number)] = field }
            let subject = PolicySubject(
                source: address("::1"), identity: nil, destination: address("::1"), port: 80)
            var trials: [Int32] = []
            let path = Array("/".utf8)
            let verdict = set.requests.decide(
                subject, parsed.head, fields, parsed.bytes.span, path: path.span, trials: &trials)
            #expect(!verdict.isAllowed)
        }
    }
}
