/// What tells one network namespace from all others, and the addresses of an interface in it.
internal import CLinux
internal import Glibc

/// A network namespace's file and the cookie that the kernel gives it: BPF programs see the cookie, never
/// the file.
public struct NetworkNamespaceIdentity: Hashable, Sendable {
    public let inode: UInt64
    /// Never given twice between two boots.
    public let cookie: UInt64

    public init(inode: UInt64, cookie: UInt64) {
        self.inode = inode
        self.cookie = cookie
    }
}

/// What a look into a network namespace found.
public struct NetworkNamespaceReading: Hashable, Sendable {
    public let identity: NetworkNamespaceIdentity
    /// Addresses of the interface asked for that others can reach, IPv4 first; empty when there is no such
    /// interface.
    public let addresses: [IPAddress]
}

extension NetworkNamespaceIdentity {
    /// Looks into the namespace at `path` (`/run/netns/…`, `/proc/<pid>/ns/net`) by entering it on a thread
    /// of its own. `EINVAL` when the path is not a network namespace.
    public static func read(
        _ path: String, addressesOf interface: String? = nil
    ) async throws(Errno) -> NetworkNamespaceReading {
        try await DedicatedThread.run("kmesh-netns") { () throws(Errno) in
            let identity = try enterNetworkNamespace(path)
            guard let interface else { return NetworkNamespaceReading(identity: identity, addresses: []) }
            return NetworkNamespaceReading(
                identity: identity, addresses: try reachableAddresses(of: interface))
        }
    }

    /// Identity of the namespace that this process runs in: the machine's, or that of the sandbox's node.
    public static func own() throws(Errno) -> NetworkNamespaceIdentity {
        let file = try FileDescriptor.open("/proc/self/ns/net")
        return NetworkNamespaceIdentity(inode: try inodeNumber(of: file), cookie: try currentCookie())
    }

    /// The machine's own namespace has this inode on kernels that fix it (6.18 and later).
    public static let initialInode: UInt64 = 0xefff_fff9
}

/// Moves the calling thread, for good.
private func enterNetworkNamespace(_ path: String) throws(Errno) -> NetworkNamespaceIdentity {
    // Looked at before it is opened: opening a pipe can block and opening a device can have effects.
    guard try syscall({ unsafe kmesh_is_namespace_file(path) }) == 1 else { throw .invalid }
    let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
    try syscall { kmesh_enter_network_namespace(file.number) }
    return NetworkNamespaceIdentity(inode: try inodeNumber(of: file), cookie: try currentCookie())
}

private func inodeNumber(of file: borrowing FileDescriptor) throws(Errno) -> UInt64 {
    var status = stat()
    let number = file.number
    try syscall { unsafe fstat(number, &status) }
    return UInt64(status.st_ino)
}

/// A socket knows the namespace of the thread that made it.
private func currentCookie() throws(Errno) -> UInt64 {
    let datagram = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    return try cookie(of: FileDescriptor(owning: try syscall { Glibc.socket(AF_UNIX, datagram, 0) }))
}

extension NetworkNamespace {
    /// The kernel's cookie of this namespace.
    public func cookie() throws(Errno) -> UInt64 {
        let datagram = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        return try KmeshKit.cookie(of: socket(AF_UNIX, datagram))
    }
}

private func cookie(of socket: consuming FileDescriptor) throws(Errno) -> UInt64 {
    let netnsCookieOption: Int32 = 71
    var cookie: UInt64 = 0
    var size = socklen_t(MemoryLayout<UInt64>.size)
    let number = socket.number
    try syscall { unsafe getsockopt(number, SOL_SOCKET, netnsCookieOption, &cookie, &size) }
    return cookie
}

private func reachableAddresses(of interface: String) throws(Errno) -> [IPAddress] {
    var list: UnsafeMutablePointer<ifaddrs>?
    try syscall { unsafe getifaddrs(&list) }
    defer { unsafe freeifaddrs(list) }
    var addresses: [IPAddress] = []
    var next = unsafe list
    while let entry = unsafe next {
        unsafe next = entry.pointee.ifa_next
        guard unsafe String(cString: entry.pointee.ifa_name) == interface,
            let address = unsafe ipAddress(entry.pointee.ifa_addr), address.isReachable
        else { continue }
        addresses.append(address)
    }
    return addresses.filter(\.isV4) + addresses.filter { !$0.isV4 }
}

private func ipAddress(_ pointer: UnsafeMutablePointer<sockaddr>?) -> IPAddress? {
    guard let pointer = unsafe pointer else { return nil }
    switch Int32(unsafe pointer.pointee.sa_family) {
    case AF_INET:
        return unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { v4 in
            IPAddress(v4: UInt32(bigEndian: unsafe v4.pointee.sin_addr.s_addr))
        }
    case AF_INET6:
        return unsafe pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { v6 in
            let words = unsafe v6.pointee.sin6_addr.__in6_u.__u6_addr32
            return IPAddress(
                high: UInt64(UInt32(bigEndian: words.0)) << 32 | UInt64(UInt32(bigEndian: words.1)),
                low: UInt64(UInt32(bigEndian: words.2)) << 32 | UInt64(UInt32(bigEndian: words.3)))
        }
    default:
        return nil
    }
}
