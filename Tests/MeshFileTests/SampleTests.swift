import KmeshKit
import MeshFile
import Testing

/// The manifest that people start from, as they write it: nothing has given the services addresses yet.
@Suite struct SampleTests {
    @Test func manifestsOfPeopleAreRead() async throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let text = try Files.readText("\(root)/samples/bookinfo.yaml")
        let kinds = text.split(separator: "\n").filter { $0.hasPrefix("kind: ") }.map { $0.dropFirst(6) }
        let (source, first) = try await MeshFileSource.open("\(root)/samples/bookinfo.yaml")
        let services = kinds.count { $0 == "Service" }
        #expect(services > 0 && first.objectCount >= services)
        #expect(first.skippedKinds["Deployment"] == kinds.count { $0 == "Deployment" })
        #expect(first.warnings.count { $0.contains("has no clusterIP") } == services)
        source.close()
    }

    @Test func theSplitRoutesTheBookshopsReviews() async throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let (source, first) = try await MeshFileSource.open("\(root)/samples")
        defer { source.close() }
        let routes = first.changes.compactMap { change -> RouteConfiguration? in
            guard case .upsert(.routes(let routes)) = change else { return nil }
            return routes
        }
        let all = try #require(routes.first?.virtualHosts.first?.routes)
        #expect(routes.count == 1)
        #expect(all.map(\.name) == ["next", "jason", "split"].map { "default/reviews/\($0)" })
        #expect(all[0].match.path == .prefix("/next"))
        #expect(all[1].match.headers == [NamedMatch(name: "end-user", value: .exact("jason"))])
        guard case .forward(let split) = all[2].action else { throw Unexpected(what: "\(all[2].action)") }
        #expect(split.backends.map(\.weight) == [90, 10])
        let hosts = split.backends.map { $0.backend?.servicePort?.key.hostname.prefix(10) }
        #expect(hosts == ["reviews-v1", "reviews-v2"])
        #expect(!first.warnings.contains { $0.contains("HTTPRoute") })
    }

    @Test func theBookshopLetsInWhoBelongsThere() async throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let (source, first) = try await MeshFileSource.open("\(root)/samples")
        defer { source.close() }
        var policies: [String: AuthorizationPolicy] = [:]
        for case .upsert(.policy(let policy)) in first.changes { policies[policy.key.name] = policy }
        #expect(policies.count == 8 && !first.warnings.contains { $0.contains("Policy") })
        let all = try #require(policies["allow-nothing"])
        #expect(all.scope == .namespace && policies.values.count { $0.scope == .workloads } == 7)
        let pages = [
            "productpage": ["sleep", "waypoint"], "details": ["productpage", "waypoint"],
            "reviews": ["productpage", "sleep", "waypoint"], "ratings": ["reviews", "waypoint"],
        ]
        let accounts = ["productpage", "details", "reviews", "ratings", "sleep", "waypoint"]
        let (client, server) = (IPAddress(v4: 0x0a00_0001), IPAddress(v4: 0x0a00_0002))
        for (page, admitted) in pages {
            let own = try #require(policies[page])
            func isAllowed(_ account: String, port: UInt16 = 9080) -> Bool {
                let connection = PolicyConnection(
                    source: client,
                    identity: WorkloadIdentity(namespace: "default", serviceAccount: account),
                    destination: server, port: port)
                return PolicyEvaluator.decide([all, own], on: connection).isAllowed
            }
            #expect(accounts.filter { isAllowed($0) } == accounts.filter(admitted.contains), "\(page)")
            #expect(accounts.allSatisfy { !isAllowed($0, port: 9081) }, "\(page)")
        }
        let trial = try #require(policies["reviews-without-sleep"])
        #expect(trial.isDryRun && trial.action == .deny)
    }
}
