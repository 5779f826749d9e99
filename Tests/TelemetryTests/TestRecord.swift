@testable import KmeshKit
@testable import Telemetry

/// Records and parties for tests: sleep dials web's service and gets to one of its pods.
enum TestRecord {
    struct NoAddress: Error {}

    static func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else { throw NoAddress() }
        return address
    }

    static func make(
        _ direction: ConnectionRecord.Direction, sent: UInt64 = 0, received: UInt64 = 0,
        isClosed: Bool = true, isEstablished: Bool = true, isFirst: Bool = true
    ) throws -> ConnectionRecord {
        let client = SocketAddress(try address("10.244.0.17"), 51842)
        let server = SocketAddress(try address("10.244.0.6"), 8080)
        let isOutbound = direction == .outbound
        return ConnectionRecord(
            namespaceCookie: 7, direction: direction, local: isOutbound ? client : server,
            remote: isOutbound ? server : client,
            dialed: isOutbound ? SocketAddress(try address("10.96.0.1"), 80) : nil, opened: 0, reported: 1,
            sent: sent, received: received, retransmissions: 0, lost: 0,
            news: ConnectionRecord.News(sent: sent, received: received), smoothedRTT: 0, leastRTT: 0,
            state: .established, error: nil, isClosed: isClosed, isEstablished: isEstablished,
            isFirst: isFirst)
    }

    static var parties: ConnectionParties {
        var source = Workload(uid: "Pod/shop/sleep-1", name: "sleep-1", namespace: "shop", addresses: [])
        source.serviceAccount = "sleep"
        var destination = Workload(
            uid: "Pod/shop/web-v1-abc", name: "web-v1-abc", namespace: "shop", addresses: [])
        destination.names = WorkloadNames(workload: "web-v1") { ["app": "web", "version": "v1"][$0] }
        let key = ServiceKey(namespace: "shop", hostname: "web.shop.svc.cluster.local")
        return ConnectionParties(
            source: source, destination: destination,
            service: Service(key: key, name: "web", addresses: [], ports: []))
    }
}
