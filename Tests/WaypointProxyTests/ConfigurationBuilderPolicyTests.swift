// Which policies protect what, and who sources are, step by step.
import KmeshKit
import Testing

@testable import WaypointProxy

private let gateway = PolicyTarget.gateway(namespace: "default", name: "waypoint")

private func upsert(_ policies: AuthorizationPolicy...) -> [ResourceChange<MeshResource>] {
    policies.map { .upsert(.policy($0)) }
}

private func service(_ name: String, at place: String, through waypoint: String? = nil) -> Service {
    var made = service(name, ports: [80], at: [place])
    made.waypoint = waypoint.map { WaypointReference(service: key($0)) }
    return made
}

/// The names of the policies of a set, by their denials in the access log.
private func names(_ configuration: WaypointConfiguration, _ number: Int32) -> [String] {
    guard number >= 0, let set = configuration.authorization?.sets[Int(number)] else { return [] }
    let policies = configuration.authorization?.policies ?? []
    return set.requests.policies.indices.map { place in
        let text = String(
            decoding: set.details(of: PolicyVerdict(outcome: .denied, policy: Int32(place), rule: 0)),
            as: UTF8.self)
        return policies.map(\.key.name).first { text.contains("policy[\($0)]") } ?? text
    }
}

private func names(_ configuration: WaypointConfiguration, at place: String) throws -> [String] {
    let target = try #require(configuration.targets.find(SocketAddress(address(place), 80)))
    return names(configuration, configuration.targets.targets[Int(target)].policies)
}

private func hostNames(_ configuration: WaypointConfiguration) throws -> [String: [String]] {
    let table = configuration.tables[Int(try #require(configuration.plainTable))]
    let hosts = configuration.authorization?.hosts ?? []
    #expect(hosts.isEmpty || hosts.count == table.source.virtualHosts.count)
    var found: [String: [String]] = [:]
    for (number, host) in table.source.virtualHosts.enumerated() where !hosts.isEmpty {
        for case .exact(let name) in host.domains {
            found[name] = names(configuration, hosts[number].policies)
        }
    }
    return found
}

@Suite struct ConfigurationBuilderPolicyTests {
    @Test func aTargetHasThePoliciesOfItsServiceItsGatewayAndAllWaypoints() throws {
        var builder = makeBuilder()
        let built = builder.apply(
            [
                .upsert(.service(service("a", at: "10.1.0.1", through: "waypoint"))),
                .upsert(.service(service("b", at: "10.1.0.2", through: "other"))),
                .upsert(.service(service("c", at: "10.1.0.3"))),
            ]
                + upsert(
                    policy("on-a", .deny, for: [.service(key("a"))], [methods("GET")]),
                    policy("on-gateway", .deny, for: [gateway], [methods("GET")]),
                    policy("on-all", .deny, for: [.waypoints], [methods("GET")]),
                    policy("on-two", .deny, for: [.service(key("c")), gateway], [methods("GET")])))
        #expect(try names(built, at: "10.1.0.1") == ["on-a", "on-all", "on-gateway", "on-two"])
        #expect(try names(built, at: "10.1.0.2") == ["on-all"])
        #expect(try names(built, at: "10.1.0.3") == ["on-all", "on-two"])
        let hosts = try hostNames(built)
        #expect(hosts["a"] == ["on-a", "on-all", "on-gateway", "on-two"])
        #expect(hosts["a.default.svc"] == hosts["a"])
        #expect(hosts["c:80"] == ["on-all", "on-two"])
    }

    @Test func policiesOfOtherScopesAreForTheNodes() throws {
        var builder = makeBuilder()
        let scopes: [PolicyScope] = [.mesh, .namespace, .workloads]
        let built = builder.apply(
            [.upsert(.service(service("a", at: "10.1.0.1")))]
                + scopes.enumerated().map { number, scope in
                    .upsert(
                        .policy(
                            AuthorizationPolicy(
                                key: PolicyKey(namespace: "default", name: "\(number)"), scope: scope)))
                })
        #expect(built.authorization == nil)
        // One that was for waypoints may become one of them.
        var changing = policy("p", .deny, for: [.service(key("a"))], [methods("GET")])
        #expect(try names(builder.apply(upsert(changing)), at: "10.1.0.1") == ["p"])
        changing.scope = .namespace
        #expect(builder.apply(upsert(changing)).authorization == nil)
    }

    @Test func theWholeProcessServesAsItsGateway() throws {
        var builder = makeBuilder { $0.waypoint = key("waypoint") }
        let built = builder.apply(
            [
                .upsert(.service(service("a", at: "10.1.0.1", through: "waypoint"))),
                .upsert(.service(service("plain", at: "10.1.0.2"))),
            ]
                + upsert(
                    policy("mine", .deny, for: [gateway], [methods("GET")]),
                    policy(
                        "another's", .deny, for: [.gateway(namespace: "default", name: "other")],
                        [methods("GET")])))
        #expect(try names(built, at: "10.1.0.1") == ["mine"])
        // What is reached by its name only.
        #expect(try hostNames(built)["plain"] == ["mine"])
    }

    @Test func hostsOfGatewaysHaveTheirGatewaysPolicies() throws {
        var builder = makeBuilder()
        func listener(_ name: String, _ hosts: [String]) -> RouteConfiguration {
            let forward = ForwardAction(backends: [WeightedBackend(backend: backend("a", 80))])
            return RouteConfiguration(
                key: .gateway(namespace: "default", name: name, listener: "http"),
                virtualHosts: hosts.map {
                    VirtualHost(domains: [.exact($0)], routes: [Route(name: name, action: .forward(forward))])
                })
        }
        let built = builder.apply(
            [
                .upsert(.service(service("a", at: "10.1.0.1"))),
                .upsert(.routes(listener("one", ["one.com", "both.com"]))),
                .upsert(.routes(listener("two", ["two.com", "both.com"]))),
            ]
                + upsert(
                    policy(
                        "p1", .deny, for: [.gateway(namespace: "default", name: "one")], [methods("GET")]),
                    policy(
                        "p2", .deny, for: [.gateway(namespace: "default", name: "two")], [methods("GET")]),
                    policy("on-a", .deny, for: [.service(key("a"))], [methods("GET")])))
        let hosts = try hostNames(built)
        #expect(hosts["one.com"] == ["p1"])
        #expect(hosts["two.com"] == ["p2"])
        #expect(hosts["both.com"] == ["p1", "p2"])
        #expect(hosts["a"] == ["on-a"])
    }

    @Test func workloadsHaveTheirWaypointsPolicies() throws {
        var builder = makeBuilder()
        var pod = workload("w", "10.0.0.1", of: "a", ports: [80: 80])
        pod.waypoint = WaypointReference(service: key("waypoint"))
        let first = builder.apply([.upsert(.workload(pod))])
        let place = "10.0.0.1"
        #expect(try names(first, at: place).isEmpty)
        let second = builder.apply(upsert(policy("g", .allow, for: [gateway], [methods("GET")])))
        #expect(try names(second, at: place) == ["g"])
        let third = builder.apply([.remove(.policy(PolicyKey(namespace: "default", name: "g")))])
        #expect(try names(third, at: place).isEmpty)
        #expect(third.authorization == nil)
    }

    @Test func changesReachWhatTheyConcern() throws {
        var builder = makeBuilder()
        let first = builder.apply(
            [
                .upsert(.service(service("a", at: "10.1.0.1"))),
                .upsert(.service(service("b", at: "10.1.0.2"))),
            ]
                + upsert(
                    policy("x", .deny, for: [.service(key("a"))], [methods("GET")]),
                    policy("y", .deny, for: [.service(key("b"))], [methods("GET")])))
        func set(_ configuration: WaypointConfiguration, _ place: String) throws -> PolicySet {
            let target = try #require(configuration.targets.find(SocketAddress(address(place), 80)))
            let number = Int(configuration.targets.targets[Int(target)].policies)
            return try #require(configuration.authorization).sets[number]
        }
        // The policy moves to the other service.
        let second = builder.apply(upsert(policy("x", .deny, for: [.service(key("b"))], [methods("GET")])))
        #expect(try names(second, at: "10.1.0.1").isEmpty)
        #expect(try names(second, at: "10.1.0.2") == ["x", "y"])
        // What did not change is the same object.
        let third = builder.apply(upsert(policy("z", .deny, for: [.service(key("a"))], [methods("PUT")])))
        #expect(try set(third, "10.1.0.2") === set(second, "10.1.0.2"))
        #expect(try set(third, "10.1.0.1") !== set(first, "10.1.0.1"))
        // The same again changes nothing.
        let fourth = builder.apply(upsert(policy("z", .deny, for: [.service(key("a"))], [methods("PUT")])))
        #expect(fourth.authorization?.version == third.authorization?.version)
        // A service that comes later, or gets a waypoint, is protected at once.
        let fifth = builder.apply(upsert(policy("g", .deny, for: [gateway], [methods("GET")])))
        #expect(try names(fifth, at: "10.1.0.1") == ["z"])
        let sixth = builder.apply([.upsert(.service(service("a", at: "10.1.0.1", through: "waypoint")))])
        #expect(try names(sixth, at: "10.1.0.1") == ["g", "z"])
        #expect(try hostNames(sixth)["a"] == ["g", "z"])
    }

    @Test func setsThatNobodyHasAreForgotten() throws {
        var builder = makeBuilder()
        _ = builder.apply([.upsert(.service(service("a", at: "10.1.0.1")))])
        for number in 0..<50 {
            let built = builder.apply(
                upsert(policy("\(number)", .deny, for: [.service(key("a"))], [methods("GET")]))
                    + (number > 0
                        ? [.remove(.policy(PolicyKey(namespace: "default", name: "\(number - 1)")))] : []))
            #expect(built.authorization?.sets.count == 1)
        }
    }

    // MARK: Identities

    private func pod(_ uid: String, _ places: [String], as account: String) -> Workload {
        var made = workload(uid, places[0], of: "a", ports: [:])
        made.addresses = places.map { address($0) }
        made.serviceAccount = account
        return made
    }

    private func identity(_ configuration: WaypointConfiguration, _ place: String) throws -> String? {
        let index = try #require(configuration.authorization?.identities)
        let number = index.find(address(place))
        guard number != IdentityIndex.nobody else { return nil }
        return (index.identities[Int(number)]?.text).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func anAddressSaysWhoItIs() throws {
        var builder = makeBuilder()
        let asking = policy(
            "p", .allow, for: [.waypoints], [rule { $0.namespaces.any = [.exact("default")] }])
        var shared = pod("node", ["10.0.0.9"], as: "z")
        shared.sharesAddresses = true
        let first = builder.apply(
            upsert(asking)
                + [
                    pod("1", ["10.0.0.1", "2001:db8::1"], as: "x"), pod("2", ["10.0.0.2"], as: "x"),
                    pod("3", ["10.0.0.3"], as: ""), shared,
                ].map { .upsert(.workload($0)) })
        #expect(try identity(first, "10.0.0.1") == "cluster.local/ns/default/sa/x")
        #expect(try identity(first, "2001:db8::1") == "cluster.local/ns/default/sa/x")
        #expect(try identity(first, "10.0.0.3") == nil)
        #expect(try identity(first, "10.0.0.9") == nil)
        #expect(try identity(first, "10.0.0.4") == nil)
        // Two workloads have the address, and then one.
        let second = builder.apply([.upsert(.workload(pod("4", ["10.0.0.2"], as: "x")))])
        #expect(try identity(second, "10.0.0.2") == nil)
        #expect(try identity(first, "10.0.0.2") != nil, "the older configuration is as it was")
        let third = builder.apply([
            .upsert(.workload(pod("4", ["10.0.0.2"], as: "y"))), .remove(.workload(uid: "2")),
        ])
        #expect(try identity(third, "10.0.0.2") == "cluster.local/ns/default/sa/y")
        let fourth = builder.apply([.upsert(.workload(pod("4", ["10.0.0.5"], as: "y")))])
        #expect(try identity(fourth, "10.0.0.2") == nil)
        #expect(try identity(fourth, "10.0.0.5") == "cluster.local/ns/default/sa/y")
    }

    @Test func identitiesAreKeptOnlyWhilePoliciesAsk() throws {
        var builder = makeBuilder()
        let blunt = policy("p", .deny, for: [.waypoints], [methods("GET")])
        let first = builder.apply([.upsert(.workload(pod("1", ["10.0.0.1"], as: "x")))] + upsert(blunt))
        #expect(first.authorization?.identities == nil)
        let asking = policy("p", .deny, for: [.waypoints], [rule { $0.principals.none = [.present] }])
        // What was there before counts, and what comes in the same step.
        let second = builder.apply(upsert(asking) + [.upsert(.workload(pod("2", ["10.0.0.2"], as: "y")))])
        #expect(try identity(second, "10.0.0.1") == "cluster.local/ns/default/sa/x")
        #expect(try identity(second, "10.0.0.2") == "cluster.local/ns/default/sa/y")
        #expect(builder.apply(upsert(blunt)).authorization?.identities == nil)
    }

    @Test func identitiesThatNobodyHasGiveTheirPlacesBack() throws {
        var builder = makeBuilder()
        _ = builder.apply(
            upsert(policy("p", .deny, for: [.waypoints], [rule { $0.principals.none = [.present] }])))
        for number in 0..<100 {
            let built = builder.apply([.upsert(.workload(pod("1", ["10.0.0.1"], as: "sa-\(number)")))])
            #expect(try identity(built, "10.0.0.1") == "cluster.local/ns/default/sa/sa-\(number)")
            #expect(built.authorization?.identities?.identities.count == 1)
        }
    }

    @Test func theAddressBehindAShortFormIsFound() throws {
        var builder = makeBuilder()
        let built = builder.apply([
            .upsert(.service(service("a", ports: [80, 81], at: ["2001:db8::1", "2001:db8::2"])))
        ])
        for place in [SocketAddress(address("2001:db8::2"), 81), SocketAddress(address("2001:db8::1"), 80)] {
            let short = DestinationHash.of(place)
            let target = try #require(built.targets.find(shortForm: short))
            #expect(built.targets.address(ofShortForm: short, target: target) == place)
        }
    }
}
