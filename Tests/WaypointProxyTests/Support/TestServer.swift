/// An upstream in tests: a thread for each connection, which does what the test says.
import KmeshKit
import Synchronization

@testable import WaypointProxy

final class TestServer: Sendable {
    typealias Handler = @Sendable (TestSocket) throws -> Void

    let address: SocketAddress
    private let state = Mutex(State())

    private struct State {
        var isStopped = false
        var connections = 0
        var requests = 0
    }

    /// Port 0 takes a free one.
    init(port: UInt16 = 0, _ handler: @escaping Handler) throws {
        let place = StreamAddress(SocketAddress(IPAddress(v4: 0x7f00_0001), port))
        let listener = Streams.listen(place)
        guard listener >= 0 else { throw Errno(-listener) }
        address = Streams.localAddress(listener)?.socketAddress ?? place.socketAddress
        try DedicatedThread.start("test-server") { [weak self] in
            while self?.isRunning == true {
                guard let ready = try? Poll.readable([listener], timeout: .milliseconds(50)), !ready.isEmpty
                else { continue }
                var peer = StreamAddress()
                let descriptor = Streams.accept(listener, &peer)
                guard descriptor >= 0 else { continue }
                self?.state.withLock { $0.connections += 1 }
                try? DedicatedThread.start("test-conn") { try? handler(TestSocket(descriptor)) }
            }
            Streams.close(listener)
        }
    }

    private var isRunning: Bool { state.withLock { !$0.isStopped } }
    var connections: Int { state.withLock { $0.connections } }

    func stop() { state.withLock { $0.isStopped = true } }

    /// Answers each request with what `answer` returns, as long as the client wants.
    static func http(
        port: UInt16 = 0, _ answer: @escaping @Sendable (TestMessage) throws -> String
    ) throws -> TestServer {
        try TestServer(port: port) { socket in
            while let request = try socket.readMessage() {
                try socket.send(try answer(request))
            }
        }
    }

    /// Answers with a text.
    static func saying(_ text: String) throws -> TestServer {
        try http { _ in "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)" }
    }

    /// An address at which nobody listens.
    static func refusing() throws -> SocketAddress {
        let listener = Streams.listen(StreamAddress(SocketAddress(IPAddress(v4: 0x7f00_0001), 0)))
        defer { Streams.close(listener) }
        guard let address = Streams.localAddress(listener) else { throw Errno(22) }
        return address.socketAddress
    }
}
