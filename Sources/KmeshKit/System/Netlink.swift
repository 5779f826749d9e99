/// A conversation with the kernel's network stack in one network namespace; see netlink(7).
internal import CLinux
internal import Glibc

/// What the kernel refused, and why.
public struct NetlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    public let errno: Errno
    /// The kernel's own words; often empty.
    public let explanation: String

    public var description: String { explanation.isEmpty ? "\(errno)" : "\(errno) (\(explanation))" }

    init(_ errno: Errno, _ explanation: String = "") {
        self.errno = errno
        self.explanation = explanation
    }
}

public struct Netlink: ~Copyable, Sendable {
    private let socket: FileDescriptor
    private var sequence: UInt32 = 0

    /// The kernel's answers to dumps come in pieces of at most 32 KiB.
    private static let receiveLimit = 1 << 16
    /// Messages of one answer; more means that something is wrong.
    private static let replyLimit = 1 << 20

    /// In the namespace of the calling thread.
    public init() throws(NetlinkError) {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        socket = try Self.connected { () throws(Errno) in
            FileDescriptor(owning: try syscall { Glibc.socket(AF_NETLINK, type, NETLINK_ROUTE) })
        }
    }

    public init(in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        try self.init(in: namespace, family: NETLINK_ROUTE)
    }

    /// - Parameter family: the subsystem to talk to.
    init(in namespace: borrowing NetworkNamespace, family: Int32) throws(NetlinkError) {
        socket = try Self.connected { () throws(Errno) in
            try namespace.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), family)
        }
    }

    private static func connected(
        _ open: () throws(Errno) -> FileDescriptor
    ) throws(NetlinkError) -> FileDescriptor {
        do throws(Errno) {
            let socket = try open()
            try prepare(socket)
            return socket
        } catch {
            throw NetlinkError(error)
        }
    }

    private static func prepare(_ socket: borrowing FileDescriptor) throws(Errno) {
        let number = socket.number
        var on: Int32 = 1
        // Kernels without these options answer in the older, shorter form, which is understood too.
        for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK] {
            unsafe setsockopt(number, SOL_NETLINK, Int32(option), &on, socklen_t(MemoryLayout<Int32>.size))
        }
        // Connected to the kernel: no other process can slip messages in.
        var kernel = sockaddr_nl()
        kernel.nl_family = sa_family_t(AF_NETLINK)
        try syscall {
            unsafe withUnsafePointer(to: &kernel) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe connect(number, address, socklen_t(MemoryLayout<sockaddr_nl>.size))
                }
            }
        }
    }

    /// Sends one request and waits until it is done. `fill` adds its attributes.
    mutating func request(
        _ type: Int, flags: Int = 0, body: [UInt8], _ fill: (inout NetlinkMessage) -> Void = { _ in }
    ) throws(NetlinkError) {
        try converse(type, Int(NLM_F_REQUEST) | Int(NLM_F_ACK) | flags, body, fill) { _ in }
    }

    /// Asks for one object.
    mutating func one(
        _ type: Int, body: [UInt8], _ fill: (inout NetlinkMessage) -> Void
    ) throws(NetlinkError) -> NetlinkReply? {
        var object: NetlinkReply?
        try converse(type, Int(NLM_F_REQUEST) | Int(NLM_F_ACK), body, fill) { object = object ?? $0 }
        return object
    }

    /// Asks for all objects of a type.
    mutating func dump(_ type: Int, body: [UInt8]) throws(NetlinkError) -> [NetlinkReply] {
        // A table that changes while it is read is read again.
        for _ in 0..<8 {
            var replies: [NetlinkReply] = []
            var isInterrupted = false, isTooMuch = false
            try dump(type, body: body) { reply in
                isInterrupted = isInterrupted || reply.flags & Int(NLM_F_DUMP_INTR) != 0
                isTooMuch = isTooMuch || replies.count == Self.replyLimit
                if !isTooMuch { replies.append(reply) }
            }
            guard !isTooMuch else { throw NetlinkError(Errno(EFBIG)) }
            if !isInterrupted { return replies }
        }
        throw NetlinkError(.busy, "the table changes faster than it can be read")
    }

    /// Asks for all objects of a type and keeps none.
    mutating func dump(
        _ type: Int, body: [UInt8], each visit: (NetlinkReply) -> Void
    ) throws(NetlinkError) {
        try converse(type, Int(NLM_F_REQUEST) | Int(NLM_F_DUMP), body, { _ in }, visit)
    }

    private mutating func converse(
        _ type: Int, _ flags: Int, _ body: [UInt8], _ fill: (inout NetlinkMessage) -> Void,
        _ visit: (NetlinkReply) -> Void
    ) throws(NetlinkError) {
        sequence &+= 1
        var message = NetlinkMessage(type: type, flags: flags, sequence: sequence, body: body)
        fill(&message)
        do throws(Errno) {
            try socket.write(message.finished())
        } catch {
            throw NetlinkError(error)
        }
        try visitReplies(visit)
    }

    /// Until the kernel has said that there are no more. Nothing may stop it half-way: what is left would be
    /// in the way of the next request.
    private func visitReplies(_ visit: (NetlinkReply) -> Void) throws(NetlinkError) {
        while true {
            guard let replies = NetlinkReply.split(try receive()) else { throw malformed }
            for reply in replies where reply.sequence == sequence {
                switch reply.type {
                case Int(NLMSG_ERROR), Int(NLMSG_DONE):
                    return try check(reply)
                case Int(NLMSG_NOOP): continue
                case Int(NLMSG_OVERRUN): throw NetlinkError(Errno(ENOBUFS))
                default: visit(reply)
                }
            }
        }
    }

    private func receive() throws(NetlinkError) -> [UInt8] {
        do throws(Errno) {
            let bytes = try socket.read(upTo: Self.receiveLimit)
            guard bytes.count < Self.receiveLimit else { throw Errno(EMSGSIZE) }
            return bytes
        } catch {
            throw NetlinkError(error)
        }
    }

    /// Throws what an acknowledgement or the end of a dump reports.
    private func check(_ reply: NetlinkReply) throws(NetlinkError) {
        guard let code = reply.payload.native(Int32.self, at: 0) else { throw malformed }
        guard code != 0 else { return }
        throw NetlinkError(Errno(code == .min ? EINVAL : abs(code)), reply.explanation)
    }

    private var malformed: NetlinkError { NetlinkError(Errno(EBADMSG), "the kernel's answer is malformed") }
}

extension NetlinkReply {
    /// The kernel's words in an error message; empty when there are none or they cannot be read.
    var explanation: String {
        guard type == Int(NLMSG_ERROR), flags & Int(NLM_F_ACK_TLVS) != 0 else { return "" }
        // The error number and the header of the request; without NLM_F_CAPPED the whole request.
        var skipped = 4 + Self.headerSize
        if flags & Int(NLM_F_CAPPED) == 0, let length = payload.native(UInt32.self, at: 4) {
            skipped = max(skipped, 4 + Int(length))
        }
        let attributes = NetlinkAttribute.split(payload.dropFirst(skipped)) ?? []
        return attributes.first { $0.type == Int(NLMSGERR_ATTR_MSG.rawValue) }?.text ?? ""
    }
}
