internal import CLinux

/// A loaded program.
public struct BPFProgram: ~Copyable {
    public let descriptor: FileDescriptor

    public init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    /// The kernel's number for a loaded program, by which links name it.
    public static func id(of program: borrowing FileDescriptor) throws(BPFError) -> UInt32 {
        var id: UInt32 = 0
        let result = unsafe kmesh_bpf_program_id(program.number, &id)
        guard result >= 0 else { throw .failed("read the facts of a program", Errno(-result)) }
        return id
    }

    /// Runs it for the messages of every socket that comes into a map of sockets from now on, instead of the
    /// program before it. The attachment lives as long as the map.
    public static func attach(
        _ program: borrowing FileDescriptor, toSocketsOf map: borrowing FileDescriptor
    ) throws(BPFError) {
        let result = kmesh_bpf_program_attach(program.number, map.number, BPF_SK_MSG_VERDICT.rawValue)
        guard result >= 0 else { throw .failed("attach a program to a map of sockets", Errno(-result)) }
    }

    public struct Run: Sendable {
        /// What the program returned.
        public var result: UInt32
        /// The packet as the program left it.
        public var packet: [UInt8]
        /// Mean nanoseconds of one run.
        public var nanoseconds: UInt32
    }

    /// Runs an XDP, tc or cgroup_skb program on a packet, without a network.
    public func run(packet: [UInt8], repetitions: UInt32 = 1) throws(BPFError) -> Run {
        var run = Run(result: 0, packet: packet, nanoseconds: 0)
        let status = unsafe kmesh_bpf_program_run(
            descriptor.number, &run.packet, UInt32(packet.count), repetitions, &run.result, &run.nanoseconds)
        guard status >= 0 else { throw .failed("run a program", Errno(-status)) }
        return run
    }
}
