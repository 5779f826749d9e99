/// How often programs run and how long that takes, which the kernel counts only while somebody wants it.
internal import CLinux

public final class ProgramStatistics: Sendable {
    private let switched: FileDescriptor

    /// Switches the counting on for all programs of the machine, until this and all others like it are gone.
    public init() throws(BPFError) {
        let result = kmesh_bpf_statistics_enable()
        guard result >= 0 else { throw .failed("switch on the statistics of programs", Errno(-result)) }
        switched = FileDescriptor(owning: result)
    }

    /// What a program has taken while the counting was on; `nil` when the kernel does not tell.
    public static func use(of program: SharedDescriptor, named name: String) -> ProgramUse? {
        var use = ProgramUse(name: name, runs: 0, nanoseconds: 0)
        let result = unsafe kmesh_bpf_program_use(program.file.number, &use.runs, &use.nanoseconds)
        return result >= 0 ? use : nil
    }
}

public struct ProgramUse: Hashable, Sendable {
    public var name: String
    public var runs: UInt64
    public var nanoseconds: UInt64

    public init(name: String, runs: UInt64, nanoseconds: UInt64) {
        self.name = name
        self.runs = runs
        self.nanoseconds = nanoseconds
    }
}
