import Testing

@testable import KmeshKit

@Suite struct InternetSocketTests {
    /// Both sides in one thread: a listener on a port of the kernel's choice, and a client of each family.
    @Test func bothFamiliesReachOneListener() throws {
        let listener = try InternetSocket.listen(port: 0)
        let port = try InternetSocket.localAddress(listener).port
        #expect(port > 0)
        let namespace = try NetworkNamespace(path: "/proc/self/ns/net")
        for text in ["127.0.0.1", "::1"] {
            let address = try #require(IPAddress(text))
            let target = SocketAddress(address, port)
            #expect(try InternetSocket.answers(target, in: namespace, timeoutMilliseconds: 1000))
            var peer = SocketAddress(IPAddress(v4: 0), 0)
            let connection = try InternetSocket.accept(listener, &peer)
            #expect(peer.address == address)
            #expect(try InternetSocket.localAddress(connection) == target)
        }
        var peer = SocketAddress(IPAddress(v4: 0), 0)
        #expect(throws: Errno.wouldBlock) { _ = try InternetSocket.accept(listener, &peer) }
    }

    @Test func datagramsAreAnsweredFromWhereTheyWentTo() throws {
        let socket = try InternetSocket.bindDatagram(port: 0)
        let port = try InternetSocket.localAddress(socket).port
        var buffer = [UInt8](repeating: 0, count: 100)
        #expect(throws: Errno.wouldBlock) { _ = try InternetSocket.receiveDatagram(socket, into: &buffer) }
        let namespace = try NetworkNamespace(path: "/proc/self/ns/net")
        // Sent but never answered: the datagram is there to be read.
        let target = SocketAddress(IPAddress(v4: 0x7f00_0002), port)
        #expect(try !InternetSocket.answersDatagram(target, in: namespace, timeoutMilliseconds: 1))
        let (count, path) = try InternetSocket.receiveDatagram(socket, into: &buffer)
        #expect(count == 1)
        #expect(path.local == target.address)
    }

    @Test func addressesAsText() throws {
        #expect(SocketAddress(IPAddress(v4: 0x0a00_0001), 80).description == "10.0.0.1:80")
        #expect(SocketAddress(try #require(IPAddress("fd00::1")), 80).description == "[fd00::1]:80")
    }
}
