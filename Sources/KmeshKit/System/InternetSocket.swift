/// TCP and UDP sockets that serve IPv4 and IPv6 alike: AF_INET6, with IPv4 addresses in their mapped form.
internal import CLinux
internal import Glibc

/// An address and a port.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    public var port: UInt16

    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    public var description: String { address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}

public enum InternetSocket {
    private static let stream = Int32(SOCK_STREAM.rawValue)
    private static let datagram = Int32(SOCK_DGRAM.rawValue)
    private static let nonBlocking = Int32(SOCK_NONBLOCK.rawValue)

    /// A non-blocking listener on all addresses, IPv4 and IPv6.
    public static func listen(port: UInt16, backlog: Int32 = 4096) throws(Errno) -> FileDescriptor {
        try listen(at: SocketAddress(IPAddress(high: 0, low: 0), port), backlog: backlog)
    }

    /// A non-blocking listener; `::` is every address, IPv4 included.
    public static func listen(
        at address: SocketAddress, backlog: Int32 = 4096
    ) throws(Errno) -> FileDescriptor {
        let socket = try make(stream)
        try set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
        try bind(socket, address)
        let number = socket.number
        try syscall { Glibc.listen(number, backlog) }
        return socket
    }

    /// A non-blocking datagram socket on all addresses, IPv4 and IPv6, for `receiveDatagram` and
    /// `sendDatagram`.
    public static func bindDatagram(port: UInt16) throws(Errno) -> FileDescriptor {
        let socket = try make(datagram)
        let number = socket.number
        try syscall { kmesh_datagram_prepare(number) }
        try bind(socket, SocketAddress(IPAddress(high: 0, low: 0), port))
        return socket
    }

    private static func make(_ type: Int32) throws(Errno) -> FileDescriptor {
        let flags = type | nonBlocking | Int32(SOCK_CLOEXEC.rawValue)
        let socket = FileDescriptor(owning: try syscall { Glibc.socket(AF_INET6, flags, 0) })
        try set(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0)
        return socket
    }

    private static func bind(
        _ socket: borrowing FileDescriptor, _ address: SocketAddress
    ) throws(Errno) {
        let number = socket.number
        try unsafe withSocketAddress(address) { address, size in
            unsafe Glibc.bind(number, address, size)
        }
    }

    private static func set(
        _ socket: borrowing FileDescriptor, _ level: Int32, _ option: Int32, _ value: Int32
    ) throws(Errno) {
        let number = socket.number
        var value = value
        try syscall { unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) }
    }

    /// A waiting connection, non-blocking and without delay of small writes, and its peer. `EAGAIN` when none
    /// waits.
    public static func accept(
        _ listener: borrowing FileDescriptor, _ peer: inout SocketAddress
    ) throws(Errno) -> FileDescriptor {
        let number = listener.number
        var endpoint = kmesh_socket_address()
        let socket = FileDescriptor(
            owning: try syscall { unsafe kmesh_accept_from(number, &endpoint) })
        try set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        peer = SocketAddress(unsafe ipAddress(&endpoint.address), endpoint.port)
        return socket
    }

    /// The address that a peer dialled, or that a socket is bound to.
    public static func localAddress(_ socket: borrowing FileDescriptor) throws(Errno) -> SocketAddress {
        let number = socket.number
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        try syscall {
            unsafe withUnsafeMutablePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe getsockname(number, $0, &size)
                }
            }
        }
        return SocketAddress(unsafe ipAddress(&address.sin6_addr), UInt16(bigEndian: address.sin6_port))
    }

    /// Reads into `buffer` from `offset` on; 0 at the end of the stream. `EAGAIN` when nothing is there yet.
    public static func receive(
        _ socket: borrowing FileDescriptor, into buffer: inout [UInt8], at offset: Int = 0
    ) throws(Errno) -> Int {
        let number = socket.number
        precondition(offset < buffer.count, "no room to receive into")
        return try syscall {
            unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe recv(number, bytes.baseAddress.map { unsafe $0 + offset }, bytes.count - offset, 0)
            }
        }
    }

    /// Sends what the socket takes of `bytes` from `offset` on. `EAGAIN` when it takes nothing now.
    public static func send(
        _ socket: borrowing FileDescriptor, _ bytes: [UInt8], from offset: Int = 0
    ) throws(Errno) -> Int {
        let number = socket.number
        precondition(offset <= bytes.count, "nothing to send")
        return try syscall {
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe Glibc.send(
                    number, bytes.baseAddress.map { unsafe $0 + offset }, bytes.count - offset,
                    Int32(MSG_NOSIGNAL))
            }
        }
    }
}

/// One datagram's addresses.
public struct DatagramPath: Sendable {
    public var peer: SocketAddress
    /// Where it was sent to, and where an answer comes from.
    public var local: IPAddress
    /// The link of a link-local peer, else 0.
    var scope: UInt32
}

extension InternetSocket {
    /// Takes one datagram; what does not fit into `buffer` is lost. `EAGAIN` when none is there.
    public static func receiveDatagram(
        _ socket: borrowing FileDescriptor, into buffer: inout [UInt8]
    ) throws(Errno) -> (count: Int, path: DatagramPath) {
        let number = socket.number
        var endpoint = kmesh_socket_address()
        var local = [UInt8](repeating: 0, count: 16)
        let count = try syscall {
            unsafe kmesh_datagram_receive(number, &buffer, UInt(buffer.count), &endpoint, &local)
        }
        let peer = SocketAddress(unsafe ipAddress(&endpoint.address), endpoint.port)
        let path = DatagramPath(peer: peer, local: unsafe ipAddress(local), scope: endpoint.scope)
        return (count, path)
    }

    /// Answers a datagram from the address that it was sent to.
    public static func sendDatagram(
        _ socket: borrowing FileDescriptor, _ bytes: [UInt8], along path: DatagramPath
    ) throws(Errno) {
        let number = socket.number
        var endpoint = path.peer.native
        endpoint.scope = path.scope
        let local = path.local.bytes
        try syscall { unsafe kmesh_datagram_send(number, bytes, UInt(bytes.count), &endpoint, local) }
    }

    /// Whether somebody takes connections at `target`, seen from a network namespace.
    public static func answers(
        _ target: SocketAddress, in namespace: borrowing NetworkNamespace, timeoutMilliseconds: Int32
    ) throws(Errno) -> Bool {
        let socket = try namespace.socket(AF_INET6, stream | nonBlocking)
        let number = socket.number
        do throws(Errno) {
            try unsafe withSocketAddress(target) { address, size in unsafe connect(number, address, size) }
            return true
        } catch {
            guard error.code == EINPROGRESS else { return false }
        }
        guard try isReady(socket, POLLOUT, timeoutMilliseconds) else { return false }
        return try pendingError(socket) == 0
    }

    /// Whether a datagram sent to `target` is answered, seen from a network namespace.
    public static func answersDatagram(
        _ target: SocketAddress, in namespace: borrowing NetworkNamespace, timeoutMilliseconds: Int32
    ) throws(Errno) -> Bool {
        let socket = try namespace.socket(AF_INET6, datagram | nonBlocking)
        let number = socket.number
        do throws(Errno) {
            try unsafe withSocketAddress(target) { address, size in unsafe connect(number, address, size) }
            _ = try send(socket, [0])
            guard try isReady(socket, POLLIN, timeoutMilliseconds) else { return false }
            var answer = [UInt8](repeating: 0, count: 1)
            return try receive(socket, into: &answer) > 0
        } catch {
            return false
        }
    }

    private static func isReady(
        _ socket: borrowing FileDescriptor, _ event: Int32, _ timeout: Int32
    ) throws(Errno) -> Bool {
        var waiting = pollfd(fd: socket.number, events: Int16(event), revents: 0)
        return try syscall { unsafe poll(&waiting, 1, timeout) } == 1
    }

    private static func pendingError(_ socket: borrowing FileDescriptor) throws(Errno) -> Int32 {
        let number = socket.number
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        try syscall { unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &size) }
        return code
    }
}

/// Lends `target` in the form that socket calls take, and runs one of them.
private func withSocketAddress(
    _ target: SocketAddress, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
) throws(Errno) {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = target.port.bigEndian
    unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { unsafe $0.copyBytes(from: target.address.bytes) }
    try syscall {
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe call($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }
}

/// Reads the sixteen bytes of an address in network order.
private func ipAddress(_ bytes: UnsafeRawPointer) -> IPAddress {
    let halves = unsafe (
        bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    )
    return IPAddress(high: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1))
}

extension SocketAddress {
    /// The form of our C code.
    var native: kmesh_socket_address {
        var endpoint = kmesh_socket_address()
        endpoint.port = port
        unsafe withUnsafeMutableBytes(of: &endpoint.address) { unsafe $0.copyBytes(from: address.bytes) }
        return endpoint
    }
}

extension IPAddress {
    /// All sixteen, also for IPv4.
    var bytes: [UInt8] { (0..<16).map { byte($0) } }
}
