/// Configurations that change under traffic, draining and stopping.
import KmeshKit
import Synchronization
import Testing

@testable import WaypointProxy

@Suite(.serialized) struct ProxyLifecycleTests {
    private let slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test func aNewConfigurationHoldsForNewRequests() async throws {
        let gate = TestGate()
        let old = try TestServer { socket in
            while let request = try socket.readMessage() {
                if request.start.contains("/slow") { gate.wait() }
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
            }
        }
        let new = try TestServer.saying("new")
        defer {
            old.stop()
            new.stop()
        }
        try await TestProxy.with(configuration([cluster(0, [old.address])])) { proxy in
            let first = try proxy.connect()
            #expect(try first.request(get).text == "old")
            try first.send(slow)
            #expect(try await proxy.wait { $0.exchanges == 1 })
            proxy.proxy.replace(configuration([cluster(0, [new.address])], version: 2))
            let second = try proxy.connect()
            #expect(try second.request(get).text == "new")
            // What began before goes on as it began.
            gate.open()
            #expect(try first.readResponse().text == "old")
            #expect(try first.request(get).text == "new")
            first.close()
            second.close()
            try await proxy.settle()
            #expect(await proxy.proxy.statistics().first?.version == 2)
            // The removed endpoint's connections are gone.
            #expect(await proxy.statistics.upstreamConnections == 1)
        }
    }

    @Test func configurationsChangeUnderTraffic() async throws {
        let servers = try (0..<3).map { try TestServer.saying("s\($0)") }
        defer { for server in servers { server.stop() } }
        let addresses = servers.map(\.address)
        try await TestProxy.with(configuration([cluster(0, addresses)]), workers: 2) { proxy in
            let address = proxy.proxy.addresses[0]
            let state = TrafficState()
            for _ in 0..<4 {
                try DedicatedThread.start("client") {
                    while state.isRunning {
                        guard let client = try? TestSocket(to: address) else { continue }
                        for _ in 0..<20 {
                            let isGood = (try? client.request(get).status == 200) ?? false
                            state.note(isGood)
                        }
                    }
                    state.end()
                }
            }
            for version in 2..<200 {
                let kept = addresses.indices.filter { ($0 + version) % 3 != 0 }.map { addresses[$0] }
                proxy.proxy.replace(configuration([cluster(0, kept)], version: UInt64(version)))
                pause(.milliseconds(3))
            }
            state.stop()
            while state.ended < 4 { pause(.milliseconds(5)) }
            #expect(state.failures == 0)
            #expect(state.requests > 100)
            try await proxy.settle()
        }
    }

    @Test func drainingFinishesWhatHasBegun() async throws {
        let gate = TestGate()
        let server = try TestServer { socket in
            while let request = try socket.readMessage() {
                if request.start.contains("/slow") { gate.wait() }
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let idle = try proxy.connect()
            #expect(try idle.request(get).text == "ok")
            let busy = try proxy.connect()
            try busy.send(slow)
            #expect(try await proxy.wait { $0.exchanges == 1 })
            // The worker has not seen it when it is told to drain, or just so.
            let late = try proxy.connect()
            async let isDrained = proxy.proxy.drain(deadline: .seconds(20))
            try late.send(slow)
            // The drain has begun when this one ends.
            #expect(try idle.isClosed())
            gate.open()
            #expect(try late.readResponse()["connection"] == "close")
            late.close()
            let response = try busy.readResponse()
            #expect(response.text == "ok")
            #expect(response["connection"] == "close")
            #expect(try busy.isClosed())
            busy.close()
            #expect(await isDrained)
        }
    }

    @Test func stoppingClosesEverything() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let proxy = try WaypointProxy(
            options: ProxyOptions(),
            listeners: [
                ListenerSpecification(address: SocketAddress(IPAddress(v4: 0x7f00_0001), 0), kind: .plain)
            ],
            configuration: configuration([cluster(0, [server.address])]))
        try proxy.start()
        let client = try TestSocket(to: proxy.addresses[0])
        #expect(try client.request(get).text == "hello")
        await proxy.stop()
        #expect(try client.isClosed())
        #expect(await proxy.statistics().isEmpty)
        await proxy.stop()
    }

    @Test func anAddressInUseIsSaid() throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let taken = try InternetSocket.listen(port: 0)
        let address = try InternetSocket.localAddress(taken)
        let place = SocketAddress(IPAddress(v4: 0x7f00_0001), address.port)
        #expect(throws: ProxyError.cannotListen(place, Errno(98))) {
            try WaypointProxy(
                options: ProxyOptions(), listeners: [ListenerSpecification(address: place, kind: .plain)],
                configuration: configuration([]))
        }
    }
}

private final class TrafficState: Sendable {
    private let state = Mutex((isRunning: true, ended: 0, failures: 0, requests: 0))

    var isRunning: Bool { state.withLock { $0.isRunning } }
    var ended: Int { state.withLock { $0.ended } }
    var failures: Int { state.withLock { $0.failures } }
    var requests: Int { state.withLock { $0.requests } }

    func stop() { state.withLock { $0.isRunning = false } }
    func end() { state.withLock { $0.ended += 1 } }
    func note(_ isGood: Bool) {
        state.withLock {
            $0.requests += 1
            if !isGood { $0.failures += 1 }
        }
    }
}
