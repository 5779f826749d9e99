/// The server that stands in where a container's program is not on this machine. It says who asked whom for
/// what.
internal import KmeshKit

public struct EchoOptions: Sendable {
    public var pod: String
    public var namespace: String
    public var tcpPorts: [UInt16]
    public var udpPorts: [UInt16]

    public init(pod: String, namespace: String, tcpPorts: [UInt16], udpPorts: [UInt16]) {
        self.pod = pod
        self.namespace = namespace
        self.tcpPorts = tcpPorts
        self.udpPorts = udpPorts
    }
}

/// One thread serves all ports: HTTP/1.x with kept connections on TCP, the datagram itself on UDP.
public final class EchoServer {
    /// The longest payload of a UDP datagram over IPv4.
    private static let datagramLimit = 65_507

    private let identity: EchoIdentity
    private var epoll: Epoll
    private var listeners: [Int32: OwnedSocket] = [:]
    private var datagramSockets: [Int32: OwnedSocket] = [:]
    /// By descriptor, which the kernel keeps small.
    private var connections: [EchoConnection?] = []
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)
    /// Given up for a moment when descriptors run out, so that waiting clients are turned away and not left
    /// waiting.
    private var reserve: OwnedSocket?

    public init(_ options: EchoOptions) throws {
        identity = EchoIdentity(pod: options.pod, namespace: options.namespace)
        epoll = try Epoll()
        reserve = OwnedSocket(try FileDescriptor.open("/dev/null"), port: 0)
        for port in options.udpPorts {
            let socket = OwnedSocket(try Self.opened("UDP", port, InternetSocket.bindDatagram), port: port)
            try epoll.add(socket.number, .input)
            datagramSockets[socket.number] = socket
        }
        for port in options.tcpPorts {
            let socket = OwnedSocket(
                try Self.opened("TCP", port) { (port) throws(Errno) in
                    try InternetSocket.listen(port: port)
                }, port: port)
            try epoll.add(socket.number, .input)
            listeners[socket.number] = socket
        }
    }

    private static func opened(
        _ transport: String, _ port: UInt16, _ open: (UInt16) throws(Errno) -> FileDescriptor
    ) throws(SandboxError) -> FileDescriptor {
        do throws(Errno) {
            return try open(port)
        } catch {
            throw SandboxError("cannot serve \(transport) port \(port): \(error)")
        }
    }

    /// Serves without end.
    public func run() throws -> Never {
        while true {
            let count = try epoll.wait()
            for index in 0..<count { react(epoll.event(index)) }
        }
    }

    private func react(_ event: Epoll.Event) {
        let descriptor = event.descriptor
        if Int(descriptor) < connections.count, let connection = connections[Int(descriptor)] {
            advance(connection, event)
        } else if let listener = listeners[descriptor] {
            accept(listener.socket)
        } else if let socket = datagramSockets[descriptor] {
            echoDatagrams(socket)
        }
    }

    /// Takes a bounded number of connections, so that those that are open get their turn.
    private func accept(_ listener: borrowing FileDescriptor) {
        for _ in 0..<64 {
            var peer = SocketAddress(IPAddress(high: 0, low: 0), 0)
            do throws(Errno) {
                let socket = try InternetSocket.accept(listener, &peer)
                let local = try InternetSocket.localAddress(socket)
                keep(EchoConnection(socket: socket, peer: peer, local: local, identity: identity))
            } catch {
                if error.isOutOfDescriptors {
                    turnAway(listener)
                } else if error == .wouldBlock {
                    return
                }
                // Any other error is that of a client that has gone already.
            }
        }
    }

    private func keep(_ connection: EchoConnection) {
        let descriptor = Int(connection.socket.number)
        while connections.count <= descriptor { connections.append(nil) }
        guard (try? epoll.add(connection.socket.number, .input)) != nil else { return }
        connections[descriptor] = connection
        // The request is often there already.
        advance(connection) { connection throws(Errno) in try connection.readable(&buffer) }
    }

    private func turnAway(_ listener: borrowing FileDescriptor) {
        reserve = nil
        var peer = SocketAddress(IPAddress(high: 0, low: 0), 0)
        _ = try? InternetSocket.accept(listener, &peer)
        if let file = try? FileDescriptor.open("/dev/null") { reserve = OwnedSocket(file, port: 0) }
    }

    private func advance(_ connection: EchoConnection, _ event: Epoll.Event) {
        advance(connection) { connection throws(Errno) in
            // While output waits, nothing is read: the client's own slowness bounds what is kept for it.
            guard connection.hasOutput else { return try connection.readable(&buffer) }
            let turn = try connection.writable()
            if case .waitForInput = turn { try epoll.change(event.descriptor, .input) }
            return turn
        }
    }

    private func advance(
        _ connection: EchoConnection, _ step: (EchoConnection) throws(Errno) -> EchoConnection.Turn
    ) {
        let descriptor = connection.socket.number
        do throws(Errno) {
            switch try step(connection) {
            case .waitForInput: break
            case .waitForOutput: try epoll.change(descriptor, .output)
            case .close: connections[Int(descriptor)] = nil
            }
        } catch {
            // The client broke off.
            connections[Int(descriptor)] = nil
        }
    }

    private func echoDatagrams(_ owner: OwnedSocket) {
        for _ in 0..<64 {
            guard let (count, path) = try? InternetSocket.receiveDatagram(owner.socket, into: &buffer) else {
                return
            }
            let head =
                "\(identity.lines)from: \(path.peer)\nrequest: UDP \(count)\n"
                + "at: \(SocketAddress(path.local, owner.port))\n\n"
            // The whole must fit into one datagram. An answer that cannot be sent is lost, as datagrams are.
            let answer = (Array(head.utf8) + buffer[..<count]).prefix(Self.datagramLimit)
            _ = try? InternetSocket.sendDatagram(owner.socket, Array(answer), along: path)
        }
    }
}

private final class OwnedSocket {
    let socket: FileDescriptor
    let port: UInt16

    init(_ socket: consuming FileDescriptor, port: UInt16) {
        self.socket = socket
        self.port = port
    }

    var number: Int32 { socket.number }
}
