/// The messages of NETLINK_SOCK_DIAG for TCP: `struct inet_diag_req_v2` and `struct inet_diag_msg`.
internal import CLinux
internal import Glibc

/// Bytes of `struct inet_diag_sockid`: ports, addresses, the interface and the cookie.
let idSize = 48

/// A socket of a dump.
struct DiagnosedSocket {
    let state: Int
    let connection: ConnectedSocket
    /// Whether a program has it open.
    let hasFile: Bool
    /// Of a listening socket: takes no IPv4.
    let isV6Only: Bool

    /// Bytes before the attributes.
    private static let size = 72

    /// `nil` when it is too short or of another family.
    init?(_ reply: NetlinkReply) {
        let bytes = reply.payload
        guard reply.type == Int(SOCK_DIAG_BY_FAMILY), let family = bytes.first,
            let local = Self.address(bytes, family, port: 4, address: 8),
            let remote = Self.address(bytes, family, port: 6, address: 24),
            let interface = bytes.native(UInt32.self, at: 40),
            let cookie = bytes.native(UInt64.self, at: 44), let inode = bytes.native(UInt32.self, at: 68),
            let attributes = NetlinkAttribute.split(bytes.dropFirst(Self.size))
        else { return nil }
        state = Int(bytes[bytes.startIndex + 1])
        connection = ConnectedSocket(
            local: local, remote: remote, family: family, interface: interface, cookie: cookie)
        hasFile = inode != 0
        isV6Only = attributes.first { $0.type == Int(INET_DIAG_SKV6ONLY) }?.value.first == 1
    }

    private static func address(
        _ bytes: ArraySlice<UInt8>, _ family: UInt8, port: Int, address: Int
    ) -> SocketAddress? {
        guard let port = bytes.native(UInt16.self, at: port), bytes.count >= size else { return nil }
        let length = family == UInt8(AF_INET) ? 4 : family == UInt8(AF_INET6) ? 16 : 0
        return IPAddress(networkBytes: bytes.dropFirst(address).prefix(length)).map {
            SocketAddress($0, UInt16(bigEndian: port))
        }
    }
}

extension ConnectedSocket {
    /// The body of a request that means this socket and no other.
    var request: [UInt8] {
        var id = nativeBytes(local.port.bigEndian) + nativeBytes(remote.port.bigEndian)
        for address in [local.address, remote.address] {
            let bytes = family == UInt8(AF_INET) ? address.networkBytes : address.bytes
            id += bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
        }
        id += nativeBytes(interface) + nativeBytes(cookie)
        return requestBody(family: family, states: .max, id: id)
    }
}

/// - Parameter states: a bit for each state of TCP.
func requestBody(family: UInt8, states: UInt32, id: [UInt8]) -> [UInt8] {
    [family, UInt8(IPPROTO_TCP), 0, 0] + nativeBytes(states) + id
}
