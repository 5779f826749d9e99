/// Two network namespaces that a veth pair joins, each with an interface `eth0` and addresses of both kinds.
internal import CLinux
public import KmeshKit

public final class NamespacePair: Sendable {
    public struct Side: Sendable {
        public let path: String
        public let address: IPAddress
        public let address6: IPAddress
    }

    public let client: Side
    public let server: Side
    private let directory: String

    public init() throws {
        let directory = "/run/kmesh-test-\(UInt64.random(in: 0...UInt64.max))"
        func side(_ name: String, _ number: UInt64) -> Side {
            Side(
                path: "\(directory)/\(name)", address: IPAddress(v4: 0x0a4e_0000 + UInt32(number)),
                address6: IPAddress(high: 0xfd00_0078_0000_0000, low: number))
        }
        self.directory = directory
        (client, server) = (side("client", 1), side("server", 2))
        try Files.makeDirectories(directory)
        for side in [client, server] { try NetworkNamespace.create(at: side.path) }
        let peer = try NetworkNamespace(path: server.path)
        var netlink = try Netlink(in: try NetworkNamespace(path: client.path))
        try netlink.addVethPair("eth0", peer: "eth0", in: peer)
        for side in [client, server] { try Self.configure(side) }
    }

    private static func configure(_ side: Side) throws {
        var netlink = try Netlink(in: try NetworkNamespace(path: side.path))
        for link in try netlink.links() {
            try netlink.omitLinkLocalAddress(link)
            try netlink.setUp(link)
            guard link.name == "eth0" else { continue }
            try netlink.addAddress(side.address, prefixLength: 24, to: link)
            try netlink.addAddress(side.address6, prefixLength: 64, to: link)
        }
    }

    /// The namespaces end with this, unless something else holds them.
    public func remove() throws {
        for side in [client, server] { try NetworkNamespace.remove(at: side.path) }
        try Files.removeDirectory(directory)
    }

    deinit {
        try? remove()
    }
}

extension NamespacePair.Side {
    /// The side's interface.
    public func link() throws -> NetworkLink {
        var netlink = try Netlink(in: try NetworkNamespace(path: path))
        guard let link = try netlink.link("eth0") else { throw Errno.noDevice }
        return link
    }

    /// Runs `work` on a thread that is in the namespace. Sockets that it makes stay there.
    public func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws(Errno) -> Value
    ) async throws -> Value {
        let path = path
        return try await DedicatedThread.run("test-netns") { () throws(Errno) in
            let namespace = try FileDescriptor.open(path)
            guard kmesh_enter_network_namespace(namespace.number) == 0 else { throw .invalid }
            return try work()
        }
    }
}
