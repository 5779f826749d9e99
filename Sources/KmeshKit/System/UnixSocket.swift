/// Unix stream sockets: listening, connecting, and who is on the other side.
internal import CLinux
internal import Glibc

enum UnixSocket {
    /// The kernel's limit, without the terminating zero.
    static let pathLimit = 107

    /// Whether what is sent arrives as one stream, or message by message.
    enum Kind { case stream, messages }

    /// A non-blocking listening socket at `path`, which must not exist. Nobody but those whom `mode` names
    /// may connect, from the first moment on.
    static func listen(
        _ path: String, backlog: Int32, kind: Kind = .stream, mode: mode_t = 0o660
    ) throws(Errno) -> FileDescriptor {
        let socket = try make(kind, flags: Int32(SOCK_NONBLOCK.rawValue))
        let number = socket.number
        // The file gets the socket's mode at bind, less the process's mask; chmod then sets it exactly.
        try syscall { fchmod(number, mode) }
        try unsafe withAddress(path) { address, size in unsafe bind(number, address, size) }
        try syscall { unsafe chmod(path, mode) }
        try syscall { Glibc.listen(number, backlog) }
        return socket
    }

    /// A blocking connection. Each send and receive fails with `EAGAIN` after `timeout` seconds.
    static func connect(
        _ path: String, timeout: Int, kind: Kind = .stream
    ) throws(Errno) -> FileDescriptor {
        let socket = try make(kind, flags: 0)
        let number = socket.number
        try limit(socket, timeout)
        try unsafe withAddress(path) { address, size in unsafe Glibc.connect(number, address, size) }
        return socket
    }

    /// Each send and receive fails with `EAGAIN` after `timeout` seconds.
    static func limit(_ socket: borrowing FileDescriptor, _ timeout: Int) throws(Errno) {
        let number = socket.number
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        try syscall { unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, size) }
        try syscall { unsafe setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, size) }
    }

    /// `EAGAIN` when nobody waits.
    static func accept(_ listener: borrowing FileDescriptor) throws(Errno) -> FileDescriptor {
        let number = listener.number
        return FileDescriptor(owning: try syscall { kmesh_accept(number) })
    }

    /// Sends what the socket takes of `bytes` from `offset` on, and returns how much that was.
    static func send(
        _ bytes: [UInt8], from offset: Int, to socket: borrowing FileDescriptor
    ) throws(Errno) -> Int {
        let number = socket.number
        let rest = bytes[offset...]
        return try syscall {
            unsafe rest.withUnsafeBytes { buffer in
                unsafe Glibc.send(number, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            }
        }
    }

    private static func make(_ kind: Kind, flags: Int32) throws(Errno) -> FileDescriptor {
        let form = kind == .stream ? SOCK_STREAM : SOCK_SEQPACKET
        let type = Int32(form.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | flags
        return FileDescriptor(owning: try syscall { socket(AF_UNIX, type, 0) })
    }

    private static func withAddress(
        _ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(Errno) {
        let bytes = Array(path.utf8)
        guard (1...pathLimit).contains(bytes.count) else { throw Errno(ENAMETOOLONG) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        try syscall {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    unsafe call(generic, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
    }
}

/// Who connected, as the kernel noted it at connect().
public struct PeerCredentials: Hashable, Sendable {
    public let userID: UInt32
    public let groupIDs: Set<UInt32>
    public let processID: Int32

    public init(userID: UInt32, groupIDs: Set<UInt32>, processID: Int32) {
        self.userID = userID
        self.groupIDs = groupIDs
        self.processID = processID
    }

    static func of(_ socket: borrowing FileDescriptor) throws(Errno) -> PeerCredentials {
        let number = socket.number
        var peer = kmesh_peer_credentials()
        try syscall { unsafe kmesh_peer_credentials(number, &peer) }
        // More than these many groups are an error (ERANGE), never silently fewer groups.
        var groups = [UInt32](repeating: 0, count: 1024)
        var count = UInt32(groups.count)
        try syscall { unsafe kmesh_peer_groups(number, &groups, &count) }
        return PeerCredentials(
            userID: peer.uid, groupIDs: Set(groups.prefix(Int(count))).union([peer.gid]), processID: peer.pid)
    }
}
