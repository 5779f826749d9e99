/// Links, addresses and routes of one network namespace, made and read through netlink.
internal import CLinux
internal import Glibc

public struct NetworkLink: Hashable, Sendable {
    public let index: Int32
    public let name: String
    public let isUp: Bool
    /// The kernel's name for a virtual link's kind (`veth`, `bridge`); `nil` for hardware and loopback.
    public let kind: String?
    /// How an XDP program that is attached runs, `generic` or `native`; `nil` without one.
    public let attachedXDP: XDPMode?
}

extension Netlink {
    /// All links of the namespace.
    public mutating func links() throws(NetlinkError) -> [NetworkLink] {
        try dump(Int(RTM_GETLINK), body: linkBody()).compactMap(Self.link)
    }

    /// `nil` when no link has this name.
    public mutating func link(_ name: String) throws(NetlinkError) -> NetworkLink? {
        do throws(NetlinkError) {
            return try one(Int(RTM_GETLINK), body: linkBody()) { $0.add(Int(IFLA_IFNAME), name) }
                .flatMap(Self.link)
        } catch {
            guard error.errno == .noDevice else { throw error }
            return nil
        }
    }

    public mutating func addBridge(_ name: String) throws(NetlinkError) {
        try addLink(name, kind: "bridge")
    }

    /// A pair of links: `name` here, `peer` in another namespace.
    public mutating func addVethPair(
        _ name: String, peer: String, in namespace: borrowing NetworkNamespace
    ) throws(NetlinkError) {
        let descriptor = UInt32(namespace.descriptor)
        try addLink(name, kind: "veth") { request in
            request.nest(Int(VETH_INFO_PEER)) { other in
                other.addRaw(linkBody())
                other.add(Int(IFLA_IFNAME), peer)
                other.add(Int(IFLA_NET_NS_FD), descriptor)
            }
        }
    }

    private mutating func addLink(
        _ name: String, kind: String, parameters: ((inout NetlinkMessage) -> Void)? = nil
    ) throws(NetlinkError) {
        try request(Int(RTM_NEWLINK), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), body: linkBody()) {
            request in
            request.add(Int(IFLA_IFNAME), name)
            request.nest(Int(IFLA_LINKINFO)) { link in
                link.add(Int(IFLA_INFO_KIND), kind)
                if let parameters { link.nest(Int(IFLA_INFO_DATA), parameters) }
            }
        }
    }

    /// Deleting one end of a veth pair deletes both.
    public mutating func removeLink(_ link: NetworkLink) throws(NetlinkError) {
        try request(Int(RTM_DELLINK), body: linkBody(index: link.index))
    }

    public mutating func setUp(_ link: NetworkLink) throws(NetlinkError) {
        let up = UInt32(IFF_UP)
        try request(Int(RTM_NEWLINK), body: linkBody(index: link.index, flags: up, change: up))
    }

    /// Makes `link` a port of `bridge`.
    public mutating func attach(_ link: NetworkLink, to bridge: NetworkLink) throws(NetlinkError) {
        try request(Int(RTM_NEWLINK), body: linkBody(index: link.index)) {
            $0.add(Int(IFLA_MASTER), UInt32(bridge.index))
        }
    }

    /// Keeps the kernel from giving the link a link-local address by itself, with the second or two of
    /// duplicate detection that such an address waits. To be called before the link is up.
    public mutating func omitLinkLocalAddress(_ link: NetworkLink) throws(NetlinkError) {
        try request(Int(RTM_NEWLINK), body: linkBody(index: link.index)) { request in
            request.nest(Int(IFLA_AF_SPEC)) { families in
                families.nest(Int(AF_INET6)) { v6 in
                    v6.add(Int(IFLA_INET6_ADDR_GEN_MODE), [UInt8(IN6_ADDR_GEN_MODE_NONE.rawValue)])
                }
            }
        }
    }

    /// The address can be used at once: no duplicate detection.
    public mutating func addAddress(
        _ address: IPAddress, prefixLength: UInt8, to link: NetworkLink
    ) throws(NetlinkError) {
        let flags = address.isV4 ? 0 : UInt8(IFA_F_NODAD)
        let body = [familyNumber(address), prefixLength, flags, 0] + nativeBytes(link.index)
        try request(Int(RTM_NEWADDR), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), body: body) { request in
            request.add(Int(IFA_LOCAL), address)
            request.add(Int(IFA_ADDRESS), address)
        }
    }

    public mutating func addRoute(_ route: NetworkRoute) throws(NetlinkError) {
        let scope: UInt8
        switch route.target {
        case .gateway, .unreachable: scope = UInt8(RT_SCOPE_UNIVERSE.rawValue)
        case .link: scope = UInt8(RT_SCOPE_LINK.rawValue)
        }
        let body =
            [
                familyNumber(route.destination), route.prefixLength, 0, 0, UInt8(RT_TABLE_MAIN.rawValue),
                UInt8(RTPROT_STATIC), scope, route.target.type,
            ] + nativeBytes(UInt32(0))
        try request(Int(RTM_NEWROUTE), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), body: body) { request in
            request.add(Int(RTA_DST.rawValue), route.destination)
            switch route.target {
            case .gateway(let gateway): request.add(Int(RTA_GATEWAY.rawValue), gateway)
            case .link(let link): request.add(Int(RTA_OIF.rawValue), UInt32(link.index))
            case .unreachable: break
            }
        }
    }

    /// The addresses of a link, or of all.
    public mutating func addresses(of link: NetworkLink? = nil) throws(NetlinkError) -> [IPAddress] {
        try dump(Int(RTM_GETADDR), body: [UInt8](repeating: 0, count: 8)).compactMap { reply -> IPAddress? in
            if let link, reply.payload.native(Int32.self, at: 4) != link.index { return nil }
            let attributes = NetlinkAttribute.split(reply.payload.dropFirst(8)) ?? []
            let local = attributes.first { $0.type == Int(IFA_LOCAL) }
            return (local ?? attributes.first { $0.type == Int(IFA_ADDRESS) })?.address
        }
    }

    private static func link(_ reply: NetlinkReply) -> NetworkLink? {
        guard reply.type == Int(RTM_NEWLINK), let index = reply.payload.native(Int32.self, at: 4),
            let flags = reply.payload.native(UInt32.self, at: 8),
            let attributes = NetlinkAttribute.split(reply.payload.dropFirst(16)),
            let name = attributes.first(where: { $0.type == Int(IFLA_IFNAME) })
        else { return nil }
        return NetworkLink(
            index: index, name: name.text, isUp: flags & UInt32(IFF_UP) != 0,
            kind: attributes.nested(Int(IFLA_LINKINFO), Int(IFLA_INFO_KIND))?.text,
            attachedXDP: attributes.nested(Int(IFLA_XDP), Int(IFLA_XDP_ATTACHED)).flatMap { attached in
                switch attached.value.first {
                case UInt8(XDP_ATTACHED_DRV): .native
                case UInt8(XDP_ATTACHED_SKB): .generic
                default: nil
                }
            })
    }
}

extension [NetlinkAttribute] {
    /// The attribute `inner` among those in the attribute `outer`.
    fileprivate func nested(_ outer: Int, _ inner: Int) -> NetlinkAttribute? {
        first { $0.type == outer }.flatMap { NetlinkAttribute.split($0.value) }?.first { $0.type == inner }
    }
}

public struct NetworkRoute: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        case gateway(IPAddress)
        case link(NetworkLink)
        /// Packets are refused at once with "no route to host".
        case unreachable

        fileprivate var type: UInt8 {
            switch self {
            case .gateway, .link: UInt8(RTN_UNICAST)
            case .unreachable: UInt8(RTN_UNREACHABLE)
            }
        }
    }

    public var destination: IPAddress
    public var prefixLength: UInt8
    public var target: Target

    public init(_ destination: IPAddress, _ prefixLength: UInt8, _ target: Target) {
        self.destination = destination
        self.prefixLength = prefixLength
        self.target = target
    }
}

/// `struct ifinfomsg`.
private func linkBody(index: Int32 = 0, flags: UInt32 = 0, change: UInt32 = 0) -> [UInt8] {
    [0, 0, 0, 0] + nativeBytes(index) + nativeBytes(flags) + nativeBytes(change)
}

private func familyNumber(_ address: IPAddress) -> UInt8 {
    UInt8(address.isV4 ? AF_INET : AF_INET6)
}
