/// Programs that were replaced by others, for as long as it can be undone.
public struct ProgramReplacement: Sendable {
    private enum Place: Sendable {
        case link(SharedDescriptor, hook: String)
        case sockets(SharedDescriptor)
    }

    private var former: [(place: Place, program: SharedDescriptor)] = []

    public init() {}

    /// Gives a link another program, and keeps the one before.
    public mutating func replace(
        at link: SharedDescriptor, hook: String, with program: borrowing FileDescriptor
    ) throws(BPFError) {
        let held = BPFLink(try Self.duplicate(link))
        let former = try BPFProgram.open(id: try held.facts().programID)
        try held.update(to: program, at: hook)
        self.former.append((.link(link, hook: hook), SharedDescriptor(former)))
    }

    /// Runs another program for the messages of sockets that come into a map from now on.
    public mutating func replace(
        atSocketsOf map: SharedDescriptor, with program: borrowing FileDescriptor
    ) throws(BPFError) {
        let former = try BPFProgram.attached(toSocketsOf: map.file)
        try BPFProgram.attach(program, toSocketsOf: map.file)
        if let former { self.former.append((.sockets(map), SharedDescriptor(former))) }
    }

    /// Puts the former programs back, the latest first. Returns where that failed: there the new one runs on.
    public mutating func undo() -> [String] {
        var failures: [String] = []
        while let (place, program) = former.popLast() {
            do throws(BPFError) {
                switch place {
                case .link(let link, let hook):
                    try BPFLink(try Self.duplicate(link)).update(to: program.file, at: hook)
                case .sockets(let map):
                    try BPFProgram.attach(program.file, toSocketsOf: map.file)
                }
            } catch {
                failures.append("\(error)")
            }
        }
        return failures
    }

    private static func duplicate(_ link: SharedDescriptor) throws(BPFError) -> FileDescriptor {
        do throws(Errno) {
            return try link.file.duplicate()
        } catch {
            throw .failed("hold a link", error)
        }
    }
}
