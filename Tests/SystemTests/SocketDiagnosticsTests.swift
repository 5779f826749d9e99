import Glibc
import KmeshTestSupport
import Testing

@testable import KmeshKit

@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: makes network namespaces"))
struct SocketDiagnosticsTests {
    let network: NamespacePair

    init() throws {
        network = try NamespacePair()
    }

    private var server: NamespacePair.Side { network.server }

    /// A listener for both families.
    private func listen() async throws -> (socket: SharedDescriptor, port: UInt16) {
        let socket = try await server.run { () throws(Errno) in
            SharedDescriptor(try InternetSocket.listen(port: 0))
        }
        return (socket, try InternetSocket.localAddress(socket.file).port)
    }

    private struct Ends {
        let client: SharedDescriptor
        let server: SharedDescriptor
        /// The client's address as the server sees it.
        let address: SocketAddress
    }

    private func connect(
        to address: IPAddress, _ port: UInt16, _ listener: SharedDescriptor
    ) async throws -> Ends {
        let client = try await TestConnection.connect(from: network.client, to: SocketAddress(address, port))
        return Ends(
            client: client, server: try await TestConnection.accept(listener),
            address: try InternetSocket.localAddress(client.file))
    }

    @Test func socketsOfBothFamiliesAreListed() async throws {
        let (listener, port) = try await listen()
        let only = try await TestConnection.listen(on: server, only: .v4)
        let only6 = try await TestConnection.listen(on: server, only: .v6)
        let before = try await SocketDiagnostics.sockets(inNamespaceAt: server.path)
        let (any, any6) = (IPAddress(v4: 0), IPAddress(high: 0, low: 0))
        #expect(before.connections.isEmpty)
        #expect(before.listening.isSuperset(of: [SocketAddress(any, port), SocketAddress(any6, port)]))
        let others = before.listening.filter { $0.port != port }
        #expect(others.map(\.address).sorted() == [any6, any], "one address for each of the others")
        let portV4 = try #require(others.first { $0.address == any }).port

        let ends = [
            try await connect(to: server.address, port, listener),
            try await connect(to: server.address6, port, listener),
            try await connect(to: server.address, portV4, only),
        ]
        let sockets = try await SocketDiagnostics.sockets(inNamespaceAt: server.path)
        #expect(
            Set(sockets.connections.map { [$0.local, $0.remote] })
                == [
                    [SocketAddress(server.address, port), ends[0].address],
                    [SocketAddress(server.address6, port), ends[1].address],
                    [SocketAddress(server.address, portV4), ends[2].address],
                ])
        #expect(sockets.connections.allSatisfy(sockets.isInbound))
        #expect(Set(sockets.connections.map(\.cookie)).count == 3)
        // The client's ends are no inbound connections.
        let client = try await SocketDiagnostics.sockets(inNamespaceAt: network.client.path)
        #expect(client.connections.count == 3 && !client.connections.contains(where: client.isInbound))
        withExtendedLifetime((ends, only6)) {}
    }

    @Test func unwantedConnectionsEndAndOthersGoOn() async throws {
        let (listener, port) = try await listen()
        let wanted = [
            try await connect(to: server.address, port, listener),
            try await connect(to: server.address6, port, listener),
        ]
        let unwanted = [
            try await connect(to: server.address, port, listener),
            try await connect(to: server.address6, port, listener),
        ]
        let clients = Set(unwanted.map(\.address))
        let ended = try await SocketDiagnostics.endConnections(inNamespaceAt: server.path) {
            clients.contains($0.remote)
        }
        #expect(ended == 2)
        for ends in unwanted {
            await #expect(throws: Errno.connectionAborted) { try await TestConnection.receive(ends.server) }
            await #expect(throws: Errno.connectionReset) { try await TestConnection.receive(ends.client) }
        }
        for ends in wanted {
            #expect(try await TestConnection.carries(ends.client, ends.server))
            #expect(try await TestConnection.carries(ends.server, ends.client))
        }
        let again = try await SocketDiagnostics.endConnections(inNamespaceAt: server.path) {
            clients.contains($0.remote)
        }
        #expect(again == 0)
    }

    @Test func connectionsMadeFromInsideAreLeftAlone() async throws {
        let elsewhere = try await network.client.run { () throws(Errno) in
            SharedDescriptor(try InternetSocket.listen(port: 0))
        }
        let target = SocketAddress(
            network.client.address, try InternetSocket.localAddress(elsewhere.file).port)
        let inside = try await TestConnection.connect(from: server, to: target)
        let outside = try await TestConnection.accept(elsewhere)
        let asked = try await SocketDiagnostics.endConnections(inNamespaceAt: server.path) { _ in true }
        #expect(asked == 0)
        #expect(try await TestConnection.carries(inside, outside))
    }

    @Test func whoHasEndedAConnectionIsNotAnotherOnesEnd() async throws {
        let (listener, port) = try await listen()
        let ends = try await connect(to: server.address, port, listener)
        var diagnostics = try SocketDiagnostics(in: try NetworkNamespace(path: server.path))
        let socket = try #require(try diagnostics.sockets().connections.first)
        #expect(socket.remote == ends.address)
        let ended = [try diagnostics.end(socket), try diagnostics.end(socket)]
        #expect(ended == [true, false])
        // The listener, which the addresses lead to now, is still there.
        let next = try await connect(to: server.address, port, listener)
        #expect(try await TestConnection.carries(next.client, next.server))
    }

    /// The client does not get the answer to its SYN.
    @Test func aConnectionThatIsNotYetEstablishedEnds() async throws {
        let (listener, port) = try await listen()
        // An address that the client answers no question for: the server does not find the way back.
        let client = try NetworkNamespace(path: network.client.path)
        try client.set("ipv4/conf/all/arp_ignore", to: "1")
        try client.set("ipv4/conf/all/arp_announce", to: "2")
        var netlink = try Netlink(in: client)
        let source = IPAddress(v4: 0x0a4e_0009)
        try netlink.addAddress(source, prefixLength: 32, to: try #require(try netlink.link("lo")))
        let dialing = try await TestConnection.connect(
            from: network.client, source: source, to: SocketAddress(server.address, port))
        for _ in 0..<200 {
            let sockets = try await SocketDiagnostics.sockets(inNamespaceAt: server.path)
            if !sockets.connections.isEmpty { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try await SocketDiagnostics.endConnections(inNamespaceAt: server.path) { _ in true } == 1)
        #expect(try await SocketDiagnostics.sockets(inNamespaceAt: server.path).connections.isEmpty)
        withExtendedLifetime((listener, dialing)) {}
    }

    @Test func aKernelThatCannotSaysSo() {
        for errno in [Errno.notSupported, .noEntry] {
            #expect(SocketDiagnosticsError("end", NetlinkError(errno)) == .unsupported)
        }
        #expect("\(SocketDiagnosticsError.unsupported)".contains("CONFIG_INET_DIAG_DESTROY"))
        let denied = SocketDiagnosticsError("list sockets", NetlinkError(.notPermitted))
        #expect("\(denied)" == "cannot list sockets: Operation not permitted")
    }

    @Test func aPathThatIsNoNamespaceIsAnError() async {
        await #expect(throws: SocketDiagnosticsError.self) {
            try await SocketDiagnostics.sockets(inNamespaceAt: "/proc/self/ns/none")
        }
        await #expect(throws: SocketDiagnosticsError.self) {
            try await SocketDiagnostics.sockets(inNamespaceAt: "/dev/null")
        }
    }
}

@Suite struct SocketDiagnosticsMessageTests {
    private let socket = ConnectedSocket(
        local: SocketAddress(IPAddress(v4: 0x0a00_0001), 80),
        remote: SocketAddress(IPAddress(v4: 0x0a00_0002), 40000), family: UInt8(AF_INET6), interface: 3,
        cookie: 0x0102_0304_0506_0708)

    /// The kernel's answer about `socket`.
    private func answer(family: UInt8? = nil) -> [UInt8] {
        let request = socket.request
        let body =
            [family ?? socket.family, 1, 0, 0] + request.dropFirst(8) + [UInt8](repeating: 0, count: 16)
            + nativeBytes(UInt32(77))
        var message = NetlinkMessage(type: 20, flags: 2, sequence: 1, body: body)
        message.add(11, [1])
        return message.finished()
    }

    @Test func anAnswerIsRead() throws {
        let reply = try #require(NetlinkReply.split(answer())?.first)
        let read = try #require(DiagnosedSocket(reply))
        #expect(read.connection == socket && read.state == 1 && read.hasFile && read.isV6Only)
        #expect(socket.request.count == 56)
        // Neither of the families.
        let other = try #require(NetlinkReply.split(answer(family: 3))?.first)
        #expect(DiagnosedSocket(other) == nil)
    }

    @Test func hostileBytesEndInAnAnswer() {
        var generator = SplitMix64(seed: 0x6b6d_6573_6800_0011)
        var readable = 0
        for _ in 0..<20_000 {
            var bytes = answer()
            for _ in 0..<Int.random(in: 0...6, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[position] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) {
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            }
            for reply in NetlinkReply.split(bytes) ?? [] {
                guard let socket = DiagnosedSocket(reply) else { continue }
                readable += 1
                #expect(socket.connection.request.count == 56)
                _ = NamespaceSockets(listening: [socket.connection.local]).isInbound(socket.connection)
            }
        }
        #expect(readable > 1000)
    }
}
