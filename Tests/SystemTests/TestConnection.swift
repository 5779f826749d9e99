import Glibc
import KmeshTestSupport

@testable import KmeshKit

/// Blocking TCP sockets in a namespace of the test's own.
enum TestConnection {
    /// Connects from `side`. With a source it is left to itself while it is being established.
    static func connect(
        from side: NamespacePair.Side, source: IPAddress? = nil, to target: SocketAddress
    ) async throws -> SharedDescriptor {
        try await side.run { () throws(Errno) in
            let type = Int32(SOCK_STREAM.rawValue) | (source == nil ? 0 : Int32(SOCK_NONBLOCK.rawValue))
            let socket = FileDescriptor(owning: try syscall { Glibc.socket(AF_INET6, type, 0) })
            let number = socket.number
            if let source {
                let own = SocketAddress(source, 0)
                try syscall { unsafe withAddress(own) { unsafe Glibc.bind(number, $0, $1) } }
            }
            do throws(Errno) {
                try syscall { unsafe withAddress(target) { unsafe Glibc.connect(number, $0, $1) } }
            } catch {
                guard error.code == EINPROGRESS else { throw error }
            }
            return SharedDescriptor(socket)
        }
    }

    /// A listener for one family alone, on a socket of that family.
    static func listen(
        on side: NamespacePair.Side, only family: AddressFamily
    ) async throws -> SharedDescriptor {
        try await side.run { () throws(Errno) in
            let domain = family == .v4 ? AF_INET : AF_INET6
            let socket = FileDescriptor(
                owning: try syscall { Glibc.socket(domain, Int32(SOCK_STREAM.rawValue), 0) })
            let number = socket.number
            if family == .v6 {
                var on: Int32 = 1
                try syscall {
                    unsafe setsockopt(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, socklen_t(4))
                }
            }
            try syscall { Glibc.listen(number, 16) }
            return SharedDescriptor(socket)
        }
    }

    /// The server's end of the next connection; waits for it.
    static func accept(_ listener: SharedDescriptor) async throws -> SharedDescriptor {
        try await DedicatedThread.run("test-accept") { () throws(Errno) in
            _ = try Poll.readable([listener.file.number], timeout: .seconds(5))
            let number = listener.file.number
            return SharedDescriptor(
                FileDescriptor(owning: try syscall { Glibc.accept(number, nil, nil) }))
        }
    }

    /// One byte from one end to the other.
    static func carries(_ from: SharedDescriptor, _ to: SharedDescriptor) async throws -> Bool {
        _ = try InternetSocket.send(from.file, [7])
        return try await receive(to) == [7]
    }

    /// What is there within a few seconds; throws the socket's error.
    static func receive(_ socket: SharedDescriptor) async throws -> [UInt8] {
        try await DedicatedThread.run("test-receive") { () throws(Errno) in
            _ = try Poll.readable([socket.file.number], timeout: .seconds(5))
            var buffer = [UInt8](repeating: 0, count: 16)
            let count = try InternetSocket.receive(socket.file, into: &buffer)
            return Array(buffer.prefix(count))
        }
    }

    private static func withAddress(
        _ target: SocketAddress, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = target.port.bigEndian
        unsafe withUnsafeMutableBytes(of: &address.sin6_addr) {
            unsafe $0.copyBytes(from: target.address.bytes)
        }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe call($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }
}
