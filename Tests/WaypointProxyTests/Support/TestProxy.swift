/// A proxy on loopback with a configuration made by hand.
import KmeshKit
import Testing

@testable import WaypointProxy

private func serviceKey(_ number: Int) -> ServiceKey {
    ServiceKey(namespace: "default", hostname: "s\(number)")
}

func backend(_ number: Int) -> BackendReference {
    BackendReference(service: serviceKey(number), port: 80)
}

func cluster(
    _ number: Int32, _ endpoints: [SocketAddress], policy: UpstreamPolicy = .roundRobin,
    limits: ClusterLimits = ClusterLimits(), tiers: [UInt8] = [], weights: [UInt32] = []
) -> ClusterConfiguration {
    ClusterConfiguration(
        number: number, backend: backend(Int(number)), policy: policy,
        endpoints: endpoints.enumerated().map { index, address in
            EndpointConfiguration(
                address: address, weight: weights.isEmpty ? 1 : weights[index],
                tier: tiers.isEmpty ? 0 : tiers[index])
        }, limits: limits)
}

/// Everything goes to cluster 0 by one route, which `change` may alter.
func configuration(
    _ clusters: [ClusterConfiguration?], version: UInt64 = 1,
    protocol kind: ApplicationProtocol = .http, change: (inout Route) -> Void = { _ in }
) -> WaypointConfiguration {
    var route = Route(
        name: "r", action: .forward(ForwardAction(backends: [WeightedBackend(backend: backend(0))])))
    change(&route)
    let host = VirtualHost(domains: [.any], routes: [route])
    let key = RouteConfigurationKey.service(serviceKey(0), port: 80)
    let table = RouteTable(
        compiling: RouteConfiguration(key: key, virtualHosts: [host]),
        clusters: { wanted in clusters.firstIndex { $0?.backend == wanted }.map { Int32($0) } },
        statistics: { _ in 0 })
    var targets = TargetIndex()
    targets.insert(
        Target(kind: .service(backend(0)), applicationProtocol: kind, cluster: 0, table: nil),
        at: [SocketAddress(IPAddress(v4: 0x0a00_0001), 80)])
    return WaypointConfiguration(
        version: version, clusters: clusters, tables: [table], targets: targets, plainTable: 0)
}

struct TestProxy: Sendable {
    let proxy: WaypointProxy

    /// A proxy with one worker, which `body` may use.
    static func with(
        _ configuration: WaypointConfiguration, kind: ListenerSpecification.Kind = .plain, workers: Int = 1,
        options change: (inout ProxyOptions) -> Void = { _ in }, _ body: (TestProxy) async throws -> Void
    ) async throws {
        var options = ProxyOptions()
        options.workers = workers
        change(&options)
        let place = SocketAddress(IPAddress(v4: 0x7f00_0001), 0)
        let proxy = try WaypointProxy(
            options: options, listeners: [ListenerSpecification(address: place, kind: kind)],
            configuration: configuration)
        try proxy.start()
        do {
            try await body(TestProxy(proxy: proxy))
        } catch {
            await proxy.stop()
            throw error
        }
        await proxy.stop()
    }

    func connect() throws -> TestSocket { try TestSocket(to: proxy.addresses[0]) }

    var statistics: WorkerStatistics {
        get async {
            var sum = WorkerStatistics()
            for one in await proxy.statistics() {
                sum.connections += one.connections
                sum.exchanges += one.exchanges
                sum.upstreamConnections += one.upstreamConnections
                sum.idleUpstreamConnections += one.idleUpstreamConnections
                sum.streams += one.streams
                sum.buffers += one.buffers
                sum.telemetry.merge(one.telemetry)
            }
            return sum
        }
    }

    /// Waits until the proxy has nothing under way: nothing may be left behind by a test.
    func settle(_ location: SourceLocation = #_sourceLocation) async throws {
        let isSettled = try await wait {
            $0.connections == 0 && $0.exchanges == 0 && $0.streams == 0 && $0.buffers == 0
        }
        if isSettled { return }
        let now = await statistics
        Issue.record(
            "left: \(now.connections) connections, \(now.exchanges) exchanges, \(now.buffers) buffers",
            sourceLocation: location)
    }

    /// Waits until the proxy has come that far. Whether it has.
    func wait(until condition: (WorkerStatistics) -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + TestSocket.patience
        repeat {
            if condition(await statistics) { return true }
            try await Task.sleep(for: .milliseconds(5))
        } while ContinuousClock.now < end
        return false
    }
}

let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
