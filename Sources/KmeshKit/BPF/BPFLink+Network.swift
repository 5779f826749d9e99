internal import CLinux
internal import Glibc

/// An XDP program on an interface, and how it runs.
public struct XDPAttachment: ~Copyable, Sendable {
    public let link: BPFLink
    /// `generic` or `native`.
    public let mode: XDPMode
}

extension BPFLink {
    /// Attaches an XDP program to an interface of `namespace`.
    ///
    /// `auto` is generic for a veth, whose bulk traffic native mode slows down several times. For other
    /// interfaces it is native, and generic when that is refused: drivers have many errors for what they
    /// cannot do.
    public static func attach(
        xdp program: borrowing FileDescriptor, to interface: NetworkLink,
        in namespace: borrowing NetworkNamespace, mode: XDPMode
    ) throws(BPFError) -> XDPAttachment {
        let attempts: [XDPMode] =
            switch mode {
            case .auto: interface.kind == "veth" ? [.generic] : [.native, .generic]
            case .generic, .native: [mode]
            }
        let (netns, index) = (namespace.descriptor, interface.index)
        var refusal = Errno.invalid
        for attempt in attempts {
            do throws(Errno) {
                let link = try syscall {
                    kmesh_netns_attach_xdp(netns, program.number, index, attempt.flags)
                }
                return XDPAttachment(link: BPFLink(FileDescriptor(owning: link)), mode: attempt)
            } catch {
                refusal = error
            }
        }
        let place = "attach to \(interface.name) in \(namespace.path)"
        switch refusal {
        // The second is the answer when the other program runs in the other mode, or above the interface.
        case .busy, .exists:
            throw .failed(
                "\(place): another XDP program is there; remove it, or use --authz-hook=sk-lookup", .busy)
        default:
            throw .failed("\(place) in \(attempts.last ?? mode) mode", refusal)
        }
    }

    /// Runs a program for every search for a listening socket in `namespace`, beside those that are there.
    public static func attach(
        socketLookup program: borrowing FileDescriptor, to namespace: borrowing NetworkNamespace
    ) throws(BPFError) -> BPFLink {
        let result = kmesh_bpf_link_create(
            program.number, namespace.descriptor, BPF_SK_LOOKUP.rawValue, 0)
        switch result {
        case 0...: return BPFLink(FileDescriptor(owning: result))
        case -E2BIG:
            throw .failed(
                "attach sk_lookup to \(namespace.path): it has as many programs as the kernel allows; "
                    + "remove one, or use --authz-hook=xdp", .tooBig)
        default: throw .failed("attach sk_lookup to \(namespace.path)", Errno(-result))
        }
    }
}

extension XDPMode {
    fileprivate var flags: UInt32 {
        switch self {
        case .auto: 0
        case .generic: UInt32(XDP_FLAGS_SKB_MODE)
        case .native: UInt32(XDP_FLAGS_DRV_MODE)
        }
    }
}
