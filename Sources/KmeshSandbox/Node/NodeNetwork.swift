/// The network of one sandbox: a namespace for the node with a bridge, and one for each pod with a veth pair
/// to it. Nothing of it is in the machine's own namespace.
internal import KmeshKit

struct NodeNetwork: ~Copyable {
    private static let bridgeName = "kmesh0"
    /// The interface in each pod.
    static let podInterface = "eth0"

    private let paths: SandboxPaths
    private let families: [AddressFamily]
    let namespace: NetworkNamespace
    private var netlink: Netlink

    /// Opens the network of a sandbox that is there.
    init(_ paths: SandboxPaths, _ families: [AddressFamily]) throws {
        let namespace = try NetworkNamespace(path: paths.nodeNamespace)
        let netlink = try Netlink(in: namespace)
        self.init(paths: paths, families: families, namespace: namespace, netlink: netlink)
    }

    private init(
        paths: SandboxPaths, families: [AddressFamily], namespace: consuming NetworkNamespace,
        netlink: consuming Netlink
    ) {
        self.paths = paths
        self.families = families
        self.namespace = namespace
        self.netlink = netlink
    }

    /// Makes the node's namespace. `numbers`: those of the nodes, which all live in it.
    static func create(_ paths: SandboxPaths, _ families: [AddressFamily], nodes numbers: [Int]) throws {
        try NetworkNamespace.create(at: paths.nodeNamespace)
        var network = try NodeNetwork(paths, families)
        try network.prepare(numbers)
    }

    private mutating func prepare(_ numbers: [Int]) throws {
        // A packet to a service that nobody steered is forwarded here, and refused with an answer each time.
        try namespace.set("ipv4/ip_forward", to: "1")
        try namespace.set("ipv4/icmp_ratelimit", to: "0")
        if families.contains(.v6) {
            try namespace.set("ipv6/conf/all/forwarding", to: "1")
            try namespace.set("ipv6/icmp/ratelimit", to: "0")
        }
        try netlink.bringUpLoopback()
        try netlink.addBridge(Self.bridgeName)
        let bridge = try netlink.find(Self.bridgeName)
        try netlink.omitLinkLocalAddress(bridge)
        try netlink.setUp(bridge)
        for family in families {
            for number in numbers { try netlink.addAddress(number, family, bridge) }
            try netlink.refuseServices(family)
        }
        if families.contains(.v6) { try netlink.addLinkLocalAddress(1, bridge) }
    }

    /// Gives a pod its namespace and joins it to the bridge.
    mutating func addPod(_ record: SandboxState.PodRecord) throws {
        let path = paths.namespace(of: record)
        try NetworkNamespace.create(at: path)
        let pod = try NetworkNamespace(path: path)
        var inside = try Netlink(in: pod)
        // Pods ask no router for addresses: with many pods the questions alone would flood the bridge.
        if families.contains(.v6) { try pod.set("ipv6/conf/default/accept_ra", to: "0") }
        try inside.bringUpLoopback()

        guard let number = record.addresses.first.flatMap(AddressPlan.pods.number(of:)) else {
            throw SandboxError("pod \(record.key) has no address of this sandbox")
        }
        let portName = "pod\(number)"
        try netlink.addVethPair(portName, peer: Self.podInterface, in: pod)
        let port = try netlink.find(portName)
        try netlink.omitLinkLocalAddress(port)
        let bridge = try netlink.find(Self.bridgeName)
        try netlink.attach(port, to: bridge)
        try netlink.setUp(port)

        let interface = try inside.find(Self.podInterface)
        try inside.omitLinkLocalAddress(interface)
        try inside.setUp(interface)
        for family in families {
            try inside.addAddress(number, family, interface)
            let gateway = AddressPlan.pods.address(1, family)
            let any = family == .v4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
            try inside.addRoute(NetworkRoute(any, 0, .gateway(gateway)))
            // Here too: an answer from the node comes while connect() holds the socket, and is then not
            // heard.
            try inside.refuseServices(family)
        }
        if families.contains(.v6) { try inside.addLinkLocalAddress(number, interface) }
    }
}

extension Netlink {
    fileprivate mutating func find(_ name: String) throws -> NetworkLink {
        guard let link = try link(name) else { throw SandboxError("link \(name) is not there") }
        return link
    }

    fileprivate mutating func bringUpLoopback() throws {
        let loopback = try find("lo")
        try setUp(loopback)
    }

    fileprivate mutating func addAddress(_ number: Int, _ family: AddressFamily, _ link: NetworkLink) throws {
        let range = AddressPlan.pods
        try addAddress(range.address(number, family), prefixLength: range.prefixLength(family), to: link)
    }

    /// Neighbour discovery needs one; this one can be used at once.
    fileprivate mutating func addLinkLocalAddress(_ number: Int, _ link: NetworkLink) throws {
        let address = IPAddress(high: 0xfe80_0000_0000_0000, low: UInt64(number))
        try addAddress(address, prefixLength: 64, to: link)
    }

    fileprivate mutating func refuseServices(_ family: AddressFamily) throws {
        let services = AddressPlan.services
        try addRoute(NetworkRoute(services.address(0, family), services.prefixLength(family), .unreachable))
    }
}
