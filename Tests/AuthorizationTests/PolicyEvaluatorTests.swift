// What policies mean, rule by rule: the reference that every other decision is compared with.
import KmeshKit
import Testing

@Suite struct PolicyEvaluatorTests {
    private func isAllowed(
        _ policies: [AuthorizationPolicy], _ connection: PolicyConnection, _ request: PolicyRequest? = nil
    ) -> Bool {
        PolicyEvaluator.decide(policies, on: connection, request: request).isAllowed
    }

    /// Whether a rule with this one match takes the connection.
    private func matches(
        _ match: PolicyMatch, _ connection: PolicyConnection, _ request: PolicyRequest? = nil
    ) -> Bool {
        isAllowed([policy(rules: [[[match]]])], connection, request)
    }

    // MARK: Policies

    @Test func withoutPoliciesEverythingIsAllowed() throws {
        #expect(PolicyEvaluator.decide([], on: try connection()) == PolicyDecision(reason: .notRestricted))
        let other = policy("d", .deny, rules: [[[port(1)]]])
        #expect(PolicyEvaluator.decide([other], on: try connection()).reason == .notRestricted)
    }

    @Test func anAllowPolicyDeniesWhatItDoesNotAllow() throws {
        let key = PolicyKey(namespace: "default", name: "p")
        let nothing = policy(rules: [])
        #expect(PolicyEvaluator.decide([nothing], on: try connection()).reason == .notAllowed)
        // A rule without clauses matches everything, and one more policy can only allow more.
        let everything = policy(rules: [[]])
        #expect(PolicyEvaluator.decide([everything], on: try connection()).reason == .allowed(by: key))
        let some = policy("q", rules: [[[port(8080)]]])
        #expect(try isAllowed([nothing, some], connection()))
        #expect(try !isAllowed([nothing, some], connection(port: 81)))
    }

    @Test func denyComesFirst() throws {
        let allow = policy("a", rules: [[]]), deny = policy("z", .deny, rules: [[[port(8080)]]])
        let decision = PolicyEvaluator.decide([allow, deny], on: try connection())
        #expect(decision.reason == .denied(by: deny.key) && !decision.isAllowed)
        #expect(try isAllowed([allow, deny], connection(port: 81)))
        // Without a rule, or with one that matches everything.
        #expect(try isAllowed([policy("d", .deny, rules: [])], connection()))
        #expect(try !isAllowed([policy("d", .deny, rules: [[]])], connection()))
    }

    @Test func theFirstByNameIsTheReason() throws {
        let policies = ["c", "a", "b"].map { policy($0, .deny, rules: [[]]) }
        #expect(
            PolicyEvaluator.decide(policies, on: try connection()).reason
                == .denied(by: PolicyKey(namespace: "default", name: "a")))
    }

    @Test func policiesUnderTrialOnlyReport() throws {
        let deny = policy("d", .deny, dryRun: true, rules: [[[port(8080)]]])
        let allow = policy("a", dryRun: true, rules: [[[port(81)]]])
        let decision = PolicyEvaluator.decide([deny, allow], on: try connection())
        #expect(decision.reason == .notRestricted && decision.trialDenials == [deny.key, allow.key])
        let other = PolicyEvaluator.decide([deny, allow], on: try connection(port: 81))
        #expect(other.reason == .notRestricted && other.trialDenials.isEmpty)
        // One that is in force decides whatever those say.
        let enforced = PolicyEvaluator.decide([deny, policy("x", rules: [[]])], on: try connection())
        #expect(enforced.isAllowed && enforced.trialDenials == [deny.key])
    }

    // MARK: Rules

    @Test func allClausesAndOneMatchOfEach() throws {
        let sources = [principal("*/sa/client"), principal("*/sa/other")]
        let rule = policy(rules: [[[port(80), port(8080)], sources]])
        #expect(try isAllowed([rule], connection()))
        #expect(try isAllowed([rule], connection(as: identity("other"))))
        #expect(try !isAllowed([rule], connection(port: 81)))
        #expect(try !isAllowed([rule], connection(as: identity("third"))))
        // One rule is enough.
        let either = policy(rules: [[[port(81)]], [[principal("*/sa/client")]]])
        #expect(try isAllowed([either], connection()) && isAllowed([either], connection(as: nil, port: 81)))
        #expect(try !isAllowed([either], connection(as: nil)))
    }

    @Test func anEmptyMatchMatchesNothing() throws {
        #expect(try !matches(PolicyMatch(), connection()))
        // A clause without matches asks for nothing, one with a match that asks for nothing is never met.
        #expect(try isAllowed([policy(rules: [[[]]])], connection()))
        #expect(try !isAllowed([policy(rules: [[[port(8080)], [PolicyMatch()]]])], connection()))
        #expect(try isAllowed([policy(rules: [[[port(8080)], [PolicyMatch(), port(8080)]]])], connection()))
    }

    @Test func allAttributesOfAMatch() throws {
        let both = try match {
            $0.destinationPorts.any = [8080]
            $0.sourceBlocks.any = [try block("10.0.0.0/24")]
            $0.namespaces.none = [.exact("bad")]
        }
        #expect(try matches(both, connection()))
        #expect(try !matches(both, connection(port: 81)))
        #expect(try !matches(both, connection(from: "10.0.1.1")))
        #expect(try !matches(both, connection(as: identity("client", in: "bad"))))
    }

    @Test func oneOfAnyAndNoneOfNone() throws {
        let ports = match {
            $0.destinationPorts.any = [80, 8080]
            $0.destinationPorts.none = [8080, 8081]
        }
        #expect(try matches(ports, connection(port: 80)))
        #expect(try !matches(ports, connection(port: 8080)))
        #expect(try !matches(ports, connection(port: 8081)))
        let others = match { $0.destinationPorts.none = [8080, 8081] }
        #expect(try matches(others, connection(port: 80)) && !matches(others, connection(port: 8081)))
        let destinations = try match {
            $0.destinationBlocks.any = [try block("10.0.0.0/28")]
            $0.destinationBlocks.none = [try block("10.0.0.2")]
        }
        #expect(try matches(destinations, connection()))
        #expect(try !matches(destinations, connection(to: "10.0.0.2")))
        #expect(try !matches(destinations, connection(to: "10.0.0.16")))
    }

    // MARK: Sources

    @Test(arguments: [
        ("cluster.local/ns/default/sa/client", true), ("cluster.local/ns/default/*", true),
        ("*/sa/client", true), ("*", true), ("cluster.local/ns/default/sa/clien", false),
        ("cluster.local/ns/default/sa/clientt", false), ("*/sa/Client", false), ("other.local/*", false),
    ])
    func principalsArePatterns(pattern: String, isMatch: Bool) throws {
        #expect(try matches(principal(pattern), connection()) == isMatch)
        let negation = match { $0.principals.none = [StringMatch(pattern)] }
        #expect(try matches(negation, connection()) != isMatch)
    }

    @Test(arguments: [("default", true), ("def*", true), ("*ault", true), ("*", true), ("kube", false)])
    func namespacesAreThoseOfIdentities(pattern: String, isMatch: Bool) throws {
        let namespaces = match { $0.namespaces.any = [StringMatch(pattern)] }
        #expect(try matches(namespaces, connection()) == isMatch)
        #expect(try !matches(namespaces, connection(as: nil)))
    }

    @Test func serviceAccountsAreExact() throws {
        let accounts = match { $0.serviceAccounts.any = [.init(namespace: "default", name: "client")] }
        #expect(try matches(accounts, connection()))
        #expect(try !matches(accounts, connection(as: identity("client", in: "other"))))
        #expect(try !matches(accounts, connection(as: nil)))
        let others = match { $0.serviceAccounts.none = [.init(namespace: "default", name: "client")] }
        #expect(try !matches(others, connection()) && matches(others, connection(as: nil)))
    }

    @Test func aSourceWithoutIdentityMatchesOnlyNegations() throws {
        for pattern in ["*", "a", "a*", "*a"] {
            #expect(try !matches(principal(pattern), connection(as: nil)), "\(pattern)")
            let negation = match { $0.principals.none = [StringMatch(pattern)] }
            #expect(try matches(negation, connection(as: nil)), "\(pattern)")
        }
        // What a strict peer authentication comes to.
        let strict = policy("s", .deny, rules: [[[match { $0.principals.none = [.present] }]]])
        #expect(try isAllowed([strict], connection()) && !isAllowed([strict], connection(as: nil)))
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.1.2.3", false), ("10.0.0.7", "10.0.0.7", true),
        ("10.0.0.7", "10.0.0.6", false), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "fd00::1", false),
        ("::/0", "fd00::1", true), ("::/0", "10.0.0.1", false), ("::/0", "::ffff:10.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("fd00::/64", "fd00::ffff", true),
        ("fd00::/64", "fd00:0:0:1::", false), ("::/64", "10.0.0.1", false),
    ])
    func blocksKeepFamiliesApart(range: String, address: String, isMatch: Bool) throws {
        let sources = try match { $0.sourceBlocks.any = [try block(range)] }
        #expect(try matches(sources, connection(from: address)) == isMatch)
        let others = try match { $0.sourceBlocks.none = [try block(range)] }
        #expect(try matches(others, connection(from: address)) != isMatch)
        let destinations = try match { $0.destinationBlocks.any = [try block(range)] }
        #expect(try matches(destinations, connection(to: address)) == isMatch)
    }

    // MARK: Requests

    @Test func attributesOfRequests() throws {
        let all = try requestMatch {
            $0.hosts.any = [.suffix(".example.com"), .exact("web")]
            $0.methods.any = [.exact("GET")]
            $0.paths.any = [.prefix("/a/")]
            $0.paths.none = [.suffix("/secret")]
            $0.headers = [.init(name: "x-team", values: Patterns(any: [.present], none: [.exact("red")]))]
            $0.remoteBlocks.none = [try block("192.0.2.0/24")]
        }
        let headers = ["x-team": "blue"]
        #expect(try matches(all, connection(), request("GET", "/a/b", headers: headers)))
        #expect(
            try matches(all, connection(), request("GET", "/a/b", host: "a.example.com", headers: headers)))
        #expect(try !matches(all, connection(), request("POST", "/a/b", headers: headers)))
        #expect(try !matches(all, connection(), request("GET", "/a/secret", headers: headers)))
        #expect(try !matches(all, connection(), request("GET", "/a/b")))
        #expect(try !matches(all, connection(), request("GET", "/a/b", headers: ["x-team": "red"])))
        #expect(try !matches(all, connection(), request("GET", "/a/b", host: "other", headers: headers)))
        #expect(
            try !matches(all, connection(from: "192.0.2.1"), request("GET", "/a/b", headers: headers)))
    }

    @Test func theRemoteAddressIsTheSource() throws {
        let remote = try requestMatch { $0.remoteBlocks.any = [try block("10.0.0.0/8")] }
        #expect(try matches(remote, connection(), request()))
        #expect(try !matches(remote, connection(from: "192.0.2.1"), request()))
        // A connection alone has no such address.
        #expect(try !matches(remote, connection()))
    }

    @Test func whatIsNeverThereMatchesOnlyNegations() throws {
        let asked = requestMatch { $0.absent.any = ["request.auth.principal"] }
        #expect(try !matches(asked, connection(), request()))
        let excluded = requestMatch { $0.absent.none = ["request.auth.principal"] }
        #expect(try matches(excluded, connection(), request()))
    }

    @Test func anAllowRuleThatNeedsRequestsAllowsNoConnection() throws {
        let methods = requestMatch { $0.methods.any = [.exact("GET")] }
        let both = policy(rules: [[[port(8080)], [methods]], [[port(81)]]])
        #expect(both.atL4.rules.count == 1)
        #expect(try !isAllowed([both], connection()) && isAllowed([both], connection(port: 81)))
        #expect(try isAllowed([both], connection(), request()))
        #expect(try !isAllowed([both], connection(), request("POST")))
        // Not even beside a match that needs none.
        #expect(try !isAllowed([policy(rules: [[[port(8080), methods]]])], connection()))
    }

    @Test func aDenyRuleLosesWhatNeedsRequests() throws {
        let mixed = match {
            $0.destinationPorts.any = [8080]
            $0.request = RequestMatch()
            $0.request?.methods.any = [.exact("POST")]
        }
        let deny = policy("d", .deny, rules: [[[mixed]]])
        #expect(try !isAllowed([deny], connection()) && isAllowed([deny], connection(port: 81)))
        #expect(try isAllowed([deny], connection(), request()))
        #expect(try !isAllowed([deny], connection(), request("POST")))
        // A clause that loses everything is never met.
        let methods = requestMatch { $0.methods.any = [.exact("POST")] }
        #expect(try isAllowed([policy("d", .deny, rules: [[[port(8080)], [methods]]])], connection()))
        #expect(try !isAllowed([policy("d", .deny, rules: [[[port(8080), methods]]])], connection()))
    }
}
