internal import CLinux

/// A loaded program.
public struct BPFProgram: ~Copyable {
    public let descriptor: FileDescriptor

    public init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    /// Opens a loaded program by the kernel's id.
    public init(id: UInt32) throws(BPFError) {
        let result = kmesh_bpf_program_by_id(id)
        guard result >= 0 else { throw .failed("open the program \(id)", Errno(-result)) }
        descriptor = FileDescriptor(owning: result)
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

    public struct Statistics: Sendable {
        public var id: UInt32
        /// Counted while `RunTimeStatistics` lives.
        public var runTime: UInt64
        public var runCount: UInt64
        public var verifiedInstructions: Int
    }

    public func statistics() throws(BPFError) -> Statistics {
        var facts = kmesh_bpf_program_facts()
        let status = unsafe kmesh_bpf_program_facts(descriptor.number, &facts)
        guard status >= 0 else { throw .failed("read the facts of a program", Errno(-status)) }
        return Statistics(
            id: facts.id, runTime: facts.run_time_ns, runCount: facts.run_count,
            verifiedInstructions: Int(facts.verified_instructions))
    }
}
