import KmeshKit
import Testing

@testable import KernelNativeEngine

@Suite struct ClusterLoweringTests {
    private func endpoint(_ last: UInt32, priority: UInt32 = 0, weight: UInt32 = 1) -> ClusterEndpoint {
        ClusterEndpoint(
            address: IPAddress(v4: 0x0a00_0000 + last), port: 8080, weight: weight, priority: priority)
    }

    @Test func aClusterIsAServiceWithoutAddressesAndItsWorkloads() throws {
        var lowering = ClusterLowering()
        var cluster = Cluster(
            name: "outbound|80||a", policy: .roundRobin,
            endpoints: [endpoint(1), endpoint(2, priority: 1, weight: 3)])
        cluster.maxConnections = 7
        let lowered = lowering.lower([.upsert(.cluster(cluster))])
        guard case .upsert(.service(let service)) = lowered.first else {
            Issue.record("\(lowered)")
            return
        }
        #expect(service.addresses.isEmpty && service.policy == .roundRobin && service.maxConnections == 7)
        #expect(service.key.cluster == "outbound|80||a")
        #expect("\(service.key)" == "cluster outbound|80||a")
        #expect(ServiceKey(namespace: "default", hostname: "a").cluster == nil)
        let workloads = lowered.compactMap { change -> Workload? in
            guard case .upsert(.workload(let workload)) = change else { return nil }
            return workload
        }
        #expect(workloads.map(\.weight) == [1, 3])
        #expect(workloads.map { $0.memberships[0].priority } == [0, 1])
        #expect(workloads.allSatisfy { $0.memberships[0].service == service.key })
        #expect(lowering.all == [cluster])
    }

    @Test func whatLeavesAClusterLeavesL4() {
        var lowering = ClusterLowering()
        let before = Cluster(name: "a", endpoints: [endpoint(1), endpoint(2)])
        _ = lowering.lower([.upsert(.cluster(before))])
        let shrunk = lowering.lower([.upsert(.cluster(Cluster(name: "a", endpoints: [endpoint(2)])))])
        #expect(shrunk.contains(.remove(.workload(uid: "Cluster/a/10.0.0.1:8080"))))
        let removed = lowering.lower([.remove(.cluster("a"))])
        #expect(
            removed == [
                .remove(.workload(uid: "Cluster/a/10.0.0.2:8080")),
                .remove(.service(ServiceKey(cluster: "a"))),
            ])
        #expect(lowering.lower([.remove(.cluster("never"))]).count == 1)
        #expect(lowering.all.isEmpty)
    }
}
