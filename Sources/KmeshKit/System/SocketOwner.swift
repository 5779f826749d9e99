/// Whose program is at the other end of a connection within this machine.
internal import CLinux
internal import Glibc

public enum SocketOwner {
    /// The user whose socket at `client` is connected to `server`, both in the caller's network namespace;
    /// nil when no program has it open any more.
    public static func userID(
        ofClient client: SocketAddress, connectedTo server: SocketAddress
    ) throws(SocketDiagnosticsError) -> UInt32? {
        let what = "ask whose connection comes from \(client)"
        do throws(NetlinkError) {
            let namespace: NetworkNamespace
            do throws(Errno) {
                namespace = try NetworkNamespace(path: "/proc/thread-self/ns/net")
            } catch {
                throw NetlinkError(error)
            }
            var netlink = try Netlink(in: namespace, family: NETLINK_SOCK_DIAG)
            // IPv4 addresses find the socket whether it is of AF_INET or AF_INET6.
            let family = UInt8(client.address.isV4 ? AF_INET : AF_INET6)
            let socket = ConnectedSocket(
                local: client, remote: server, family: family, interface: 0, cookie: .max)
            guard let reply = try netlink.one(Int(SOCK_DIAG_BY_FAMILY), body: socket.request, { _ in }),
                let found = DiagnosedSocket(reply), found.connection.local == client,
                found.connection.remote == server, found.hasFile
            else { return nil }
            // A socket that was closed is nobody's, and the kernel calls its user 0.
            return reply.payload.native(UInt32.self, at: 64)
        } catch let error where error.errno == .noEntry {
            return nil
        } catch {
            throw SocketDiagnosticsError.failed(what, error)
        }
    }

    /// Of this process.
    public static var ownUserID: UInt32 { geteuid() }
}
