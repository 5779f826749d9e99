internal import CLinux

/// An attachment of a program. It lives as long as somebody holds it or its pin exists.
public struct BPFLink: ~Copyable, Sendable {
    public let descriptor: FileDescriptor

    public init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    /// Gives the descriptor away.
    consuming func take() -> FileDescriptor { descriptor }

    /// Attaches; the program runs from here on.
    public static func attach(
        program: borrowing FileDescriptor, to cgroup: borrowing FileDescriptor, hook: CgroupHook
    ) throws(BPFError) -> BPFLink {
        let result = kmesh_bpf_link_create(program.number, cgroup.number, hook.attachType, 0)
        guard result >= 0 else { throw .failed("attach \(hook.name) to the cgroup", Errno(-result)) }
        return BPFLink(FileDescriptor(owning: result))
    }

    /// Replaces the program in one step: every call runs the old one or the new one. `noLink` when what the
    /// link is attached to is gone.
    /// - Parameter place: for the error's text.
    public func update(to program: borrowing FileDescriptor, at place: String) throws(BPFError) {
        let result = kmesh_bpf_link_update(descriptor.number, program.number)
        guard result >= 0 else { throw .failed("replace the program at \(place)", Errno(-result)) }
    }

    /// Ends the attachment now, whoever holds the link and wherever it is pinned. One that has ended is fine.
    public func detach() throws(BPFError) {
        let result = kmesh_bpf_link_detach(descriptor.number)
        guard result >= 0 else { throw .failed("detach a program", Errno(-result)) }
    }

    public func facts() throws(BPFError) -> BPFLinkFacts {
        var facts = kmesh_bpf_link_facts()
        let result = unsafe kmesh_bpf_link_facts(descriptor.number, &facts)
        guard result >= 0 else { throw .failed("read the facts of a link", Errno(-result)) }
        let kind: BPFLinkFacts.Kind? =
            switch facts.type {
            case BPF_LINK_TYPE_CGROUP.rawValue: .cgroup
            case BPF_LINK_TYPE_NETNS.rawValue: .networkNamespace
            case BPF_LINK_TYPE_XDP.rawValue: .interface
            default: nil
            }
        return BPFLinkFacts(kind: kind, programID: facts.program_id, target: facts.target)
    }
}

/// What the kernel says about a link.
public struct BPFLinkFacts: Hashable, Sendable {
    public enum Kind: Sendable {
        case cgroup, networkNamespace, interface
    }

    /// `nil` for a kind that we do not make.
    public let kind: Kind?
    public let programID: UInt32
    /// Inode of the cgroup's directory or of the network namespace, or the index of the interface in its
    /// namespace. 0 when that is gone, and with it the attachment.
    public let target: UInt64

    public var isGone: Bool { target == 0 }
}

/// The hooks of a cgroup at which the data plane has programs.
public enum CgroupHook: String, CaseIterable, Sendable {
    // Order matters when attaching: what shows the dialed address comes before what rewrites it,
    // and what tells a waypoint where a connection goes before what sends it there. What cleans up after a
    // socket is there before anything can be to clean up.
    case sockRelease = "sock_release"
    case getpeername4, getpeername6, recvmsg4, recvmsg6, sendmsg4, sendmsg6, sockops, connect4, connect6

    public var name: String { rawValue }

    /// Those that steering at L4 needs.
    public static var steering: [CgroupHook] { allCases.filter { $0 != .sockRelease } }

    var attachType: UInt32 {
        switch self {
        case .sockRelease: BPF_CGROUP_INET_SOCK_RELEASE.rawValue
        case .getpeername4: BPF_CGROUP_INET4_GETPEERNAME.rawValue
        case .getpeername6: BPF_CGROUP_INET6_GETPEERNAME.rawValue
        case .recvmsg4: BPF_CGROUP_UDP4_RECVMSG.rawValue
        case .recvmsg6: BPF_CGROUP_UDP6_RECVMSG.rawValue
        case .sendmsg4: BPF_CGROUP_UDP4_SENDMSG.rawValue
        case .sendmsg6: BPF_CGROUP_UDP6_SENDMSG.rawValue
        case .sockops: BPF_CGROUP_SOCK_OPS.rawValue
        case .connect4: BPF_CGROUP_INET4_CONNECT.rawValue
        case .connect6: BPF_CGROUP_INET6_CONNECT.rawValue
        }
    }
}
