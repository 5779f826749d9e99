/// The TCP sockets of a network namespace, read and ended by NETLINK_SOCK_DIAG; see sock_diag(7).
internal import CLinux
internal import Glibc

public enum SocketDiagnosticsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kernel was built without it.
    case unsupported
    case failed(String, NetlinkError)

    public var description: String {
        switch self {
        case .unsupported:
            "this kernel cannot end connections (it needs CONFIG_INET_DIAG_DESTROY): those that a policy "
                + "denies now go on until one of their ends closes them"
        case .failed(let what, let error): "cannot \(what): \(error)"
        }
    }

    init(_ what: String, _ error: NetlinkError) {
        // The first is the answer without CONFIG_INET_DIAG_DESTROY, the others are those without
        // CONFIG_INET_TCP_DIAG and CONFIG_INET_DIAG.
        let isUnsupported = [.notSupported, .noEntry, Errno(EPROTONOSUPPORT)].contains(error.errno)
        self = isUnsupported ? .unsupported : .failed(what, error)
    }
}

/// A TCP connection as one of its ends sees it.
public struct ConnectedSocket: Hashable, Sendable {
    public let local: SocketAddress
    public let remote: SocketAddress
    /// An AF_INET6 socket may have IPv4 addresses.
    let family: UInt8
    /// The interface that the socket is bound to; 0 for none.
    let interface: UInt32
    /// Never that of another socket.
    let cookie: UInt64
}

/// What was found in a namespace.
public struct NamespaceSockets: Hashable, Sendable {
    /// Where connections are taken. `0.0.0.0` and `::` are every address of their family; a socket for both
    /// is there twice.
    public var listening: Set<SocketAddress> = []
    /// Those too that are about to be established or to end.
    public var connections: [ConnectedSocket] = []

    /// Whether somebody outside has made the connection, as far as the sockets tell: its port is one that is
    /// listened on. That of a listener which is gone counts as made from here.
    public func isInbound(_ socket: ConnectedSocket) -> Bool {
        let any = socket.local.address.isV4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
        return listening.contains(socket.local) || listening.contains(SocketAddress(any, socket.local.port))
    }
}

public struct SocketDiagnostics: ~Copyable, Sendable {
    /// Connections that are collected before they are ended.
    static let batch = 65_536

    private var netlink: Netlink

    public init(in namespace: borrowing NetworkNamespace) throws(SocketDiagnosticsError) {
        do throws(NetlinkError) {
            netlink = try Netlink(in: namespace, family: NETLINK_SOCK_DIAG)
        } catch {
            throw SocketDiagnosticsError("ask for the sockets of \(namespace.path)", error)
        }
    }

    /// All sockets; those that come and go meanwhile may be missing.
    public mutating func sockets() throws(SocketDiagnosticsError) -> NamespaceSockets {
        var sockets = NamespaceSockets(listening: try listening())
        try visitConnections { sockets.connections.append($0) }
        return sockets
    }

    /// Ends a connection: both ends see an error, and what waits to be sent is lost. False when it is gone
    /// already.
    public mutating func end(_ socket: ConnectedSocket) throws(SocketDiagnosticsError) -> Bool {
        do throws(NetlinkError) {
            try netlink.request(Int(SOCK_DESTROY), body: socket.request)
            return true
        } catch {
            if error.errno == .noEntry { return false }
            throw SocketDiagnosticsError("end the connection from \(socket.remote)", error)
        }
    }

    /// Ends the connections from outside that `isUnwanted` names. How many.
    public mutating func endConnections(
        where isUnwanted: (ConnectedSocket) -> Bool
    ) throws(SocketDiagnosticsError) -> Int {
        let sockets = NamespaceSockets(listening: try listening())
        var total = 0
        while true {
            var unwanted: [ConnectedSocket] = []
            try visitConnections { socket in
                guard unwanted.count < Self.batch, sockets.isInbound(socket), isUnwanted(socket) else {
                    return
                }
                unwanted.append(socket)
            }
            var ended = 0
            var failure: SocketDiagnosticsError?
            for socket in unwanted {
                do throws(SocketDiagnosticsError) {
                    ended += try end(socket) ? 1 : 0
                } catch {
                    failure = error
                }
            }
            total += ended
            if let failure { throw failure }
            guard unwanted.count == Self.batch, ended > 0 else { return total }
        }
    }

    private mutating func listening() throws(SocketDiagnosticsError) -> Set<SocketAddress> {
        var listening: Set<SocketAddress> = []
        try visit(states: [TCP_LISTEN]) { socket in
            let local = socket.connection.local
            listening.insert(local)
            if local.address == IPAddress(high: 0, low: 0), !socket.isV6Only {
                listening.insert(SocketAddress(IPAddress(v4: 0), local.port))
            }
        }
        return listening
    }

    private mutating func visitConnections(
        _ body: (ConnectedSocket) -> Void
    ) throws(SocketDiagnosticsError) {
        let states = [
            TCP_ESTABLISHED, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSE_WAIT, TCP_LAST_ACK,
            TCP_CLOSING,
        ]
        try visit(states: states) { socket in
            // A closed socket that waits for the other end's last word: nothing goes to it or comes from it.
            guard socket.state != TCP_FIN_WAIT2 || socket.hasFile else { return }
            body(socket.connection)
        }
    }

    private mutating func visit(
        states: [Int], _ body: (DiagnosedSocket) -> Void
    ) throws(SocketDiagnosticsError) {
        let mask = states.reduce(UInt32(0)) { $0 | 1 << UInt32($1) }
        var unreadable = false
        for family in [AF_INET, AF_INET6] {
            do throws(NetlinkError) {
                try netlink.dump(
                    Int(SOCK_DIAG_BY_FAMILY),
                    body: requestBody(
                        family: UInt8(family), states: mask, id: [UInt8](repeating: 0, count: idSize))
                ) { reply in
                    guard let socket = DiagnosedSocket(reply) else { return unreadable = true }
                    body(socket)
                }
            } catch {
                throw SocketDiagnosticsError("list sockets", error)
            }
        }
        guard !unreadable else {
            throw .failed("list sockets", NetlinkError(Errno(EBADMSG), "the kernel's answer is malformed"))
        }
    }
}

extension SocketDiagnostics {
    /// The sockets of the namespace at `path`, read on a thread of its own.
    public static func sockets(
        inNamespaceAt path: String
    ) async throws(SocketDiagnosticsError) -> NamespaceSockets {
        try await run(path) { (diagnostics) throws(SocketDiagnosticsError) in try diagnostics.sockets() }
    }

    /// Ends the connections from outside of the namespace at `path` that `isUnwanted` names, on a thread of
    /// its own. How many.
    public static func endConnections(
        inNamespaceAt path: String, where isUnwanted: @escaping @Sendable (ConnectedSocket) -> Bool
    ) async throws(SocketDiagnosticsError) -> Int {
        try await run(path) { (diagnostics) throws(SocketDiagnosticsError) in
            try diagnostics.endConnections(where: isUnwanted)
        }
    }

    private static func run<Value: Sendable>(
        _ path: String,
        _ work: @escaping @Sendable (inout SocketDiagnostics) throws(SocketDiagnosticsError) -> Value
    ) async throws(SocketDiagnosticsError) -> Value {
        let result: Result<Value, SocketDiagnosticsError>
        do throws(Errno) {
            result = try await DedicatedThread.run("kmesh-sockets") { () throws(Errno) in
                let namespace = try NetworkNamespace(path: path)
                do throws(SocketDiagnosticsError) {
                    var diagnostics = try SocketDiagnostics(in: namespace)
                    return .success(try work(&diagnostics))
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw .failed("enter the network namespace \(path)", NetlinkError(error))
        }
        return try result.get()
    }
}
