/// Requests and responses through the proxy, over real sockets.
import KmeshKit
import Testing

@testable import WaypointProxy

@Suite(.serialized) struct ProxyExchangeTests {
    @Test func aRequestIsAnswered() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        try await TestProxy.with(configuration([cluster(0, [server.address])])) { proxy in
            let client = try proxy.connect()
            for _ in 0..<3 {
                let response = try client.request(get)
                #expect(response.status == 200)
                #expect(response.text == "hello")
            }
            #expect(server.connections == 1)
            client.close()
            try await proxy.settle()
        }
    }
}
