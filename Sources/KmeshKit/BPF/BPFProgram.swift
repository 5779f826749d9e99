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

    /// The program that has this number.
    public static func open(id: UInt32) throws(BPFError) -> FileDescriptor {
        let result = kmesh_bpf_program_open(id)
        guard result >= 0 else { throw .failed("open program \(id)", Errno(-result)) }
        return FileDescriptor(owning: result)
    }

    /// The program that runs for the messages of a map's sockets; `nil` when there is none, or the kernel
    /// cannot tell.
    public static func attached(
        toSocketsOf map: borrowing FileDescriptor
    ) throws(BPFError) -> FileDescriptor? {
        var id: UInt32 = 0
        let result = unsafe kmesh_bpf_program_query(map.number, BPF_SK_MSG_VERDICT.rawValue, &id)
        guard result > 0 else { return nil }
        return try open(id: id)
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
        /// What the program returned, the last time.
        public var result: UInt32
        /// The packet as the program left it.
        public var packet: [UInt8]
        /// Mean nanoseconds of one run.
        public var nanoseconds: UInt32
    }

    /// Runs an XDP, tc or cgroup_skb program on a packet, without a network.
    ///
    /// Repetitions go on with the packet that the one before left: a program that cuts it cuts it each time.
    public func run(packet: [UInt8], repetitions: UInt32 = 1) throws(BPFError) -> Run {
        // A program can let a packet grow, but not by more than a page.
        var output = [UInt8](repeating: 0, count: packet.count + 4096)
        var room = UInt32(output.count)
        var run = kmesh_bpf_run()
        let status = unsafe kmesh_bpf_program_run(
            descriptor.number, packet, UInt32(packet.count), &output, &room, repetitions, &run)
        guard status >= 0 else { throw .failed("run a program", Errno(-status)) }
        output.removeLast(output.count - Int(room))
        return Run(result: run.result, packet: output, nanoseconds: run.duration_ns)
    }

    public struct LookupRun: Sendable {
        /// Whether the search for the listening socket goes on; else the connection is refused.
        public var passes: Bool
        /// Mean nanoseconds of one run.
        public var nanoseconds: UInt32
    }

    /// Runs an sk_lookup program as for a TCP connection from `remote` to `local`, both of one family.
    public func run(
        lookupFrom remote: SocketAddress, to local: SocketAddress, repetitions: UInt32 = 1
    ) throws(BPFError) -> LookupRun {
        var (remote, local) = (remote.native, local.native)
        var run = kmesh_bpf_run()
        let status = unsafe kmesh_bpf_program_run_lookup(
            descriptor.number, &remote, &local, repetitions, &run)
        guard status >= 0 else { throw .failed("run an sk_lookup program", Errno(-status)) }
        return LookupRun(passes: run.result == SK_PASS.rawValue, nanoseconds: run.duration_ns)
    }
}
