/// The addresses by which a network namespace is known to others, asked for again and again: that takes tens
/// of microseconds on a machine with a few links.
public struct HostAddresses: ~Copyable, Sendable {
    /// Those of the last `refresh`, without loopback and link-local ones, which are not this machine's alone.
    public private(set) var addresses: Set<IPAddress> = []
    private var netlink: Netlink

    /// Of the calling thread's namespace.
    public init() throws(NetlinkError) {
        netlink = try Netlink()
    }

    public init(in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        netlink = try Netlink(in: namespace)
    }

    /// Asks again. Whether something has changed.
    public mutating func refresh() throws(NetlinkError) -> Bool {
        let present = Set(try netlink.addresses().filter(\.isReachable))
        guard present != addresses else { return false }
        addresses = present
        return true
    }
}
