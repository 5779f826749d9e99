/// The programs at the socket hooks of one cgroup, kept by pinned links.
public struct CgroupAttachments: Sendable {
    private let pins: PinDirectory
    private let cgroupPath: String

    public init(pins: PinDirectory, cgroupPath: String) {
        self.pins = pins
        self.cgroupPath = cgroupPath
    }

    /// Puts each hook's program in force. A pinned link gets the new program in one step, so that no
    /// connection goes by unseen; else the program is attached and the link pinned. From here on traffic is
    /// steered. Where an earlier run had a program and none is wanted, it goes.
    /// - Parameter programs: the loaded program of each hook that is wanted.
    public func apply(_ programs: [CgroupHook: SharedDescriptor]) throws(BPFError) {
        let cgroup = try openCgroup()
        let wanted = try inode(of: cgroup)
        // In the order of the cases, which is safe.
        for hook in CgroupHook.allCases {
            guard let program = programs[hook] else { continue }
            let name = Self.pinName(hook)
            if let pinned = try pins.open(name) {
                let link = BPFLink(pinned)
                if try link.facts().target == wanted {
                    try link.update(to: program.file, at: hook.name)
                    continue
                }
            }
            try renew(hook, program.file, on: cgroup)
        }
        let names = Set(try pins.pinnedNames())
        for hook in CgroupHook.allCases where programs[hook] == nil && names.contains(Self.pinName(hook)) {
            try pins.unpin(Self.pinName(hook))
        }
    }

    /// Whether an earlier run had a program at the hook.
    public static func arePinned(_ hook: CgroupHook, in pins: PinDirectory) throws(BPFError) -> Bool {
        try pins.pinnedNames().contains(pinName(hook))
    }

    /// Puts programs in force again that somebody has taken away: whose pin is gone, whose link is detached
    /// or attached elsewhere, or has got another program.
    /// - Parameter repaired: grows by what was found, also when an error ends it.
    public func repair(
        _ programs: [CgroupHook: SharedDescriptor], _ repaired: inout [Difference]
    ) throws(BPFError) {
        let cgroup = try openCgroup()
        let wanted = try inode(of: cgroup)
        for hook in CgroupHook.allCases {
            guard let program = programs[hook] else { continue }
            let found: String?
            if let pinned = try pins.open(Self.pinName(hook)) {
                let link = BPFLink(pinned)
                let facts = try link.facts()
                if facts.target == wanted {
                    guard try facts.programID != BPFProgram.id(of: program.file) else { continue }
                    try link.update(to: program.file, at: hook.name)
                    found = "program \(facts.programID)"
                } else {
                    try renew(hook, program.file, on: cgroup)
                    found = facts.isGone ? "a detached link" : "a link to another cgroup"
                }
            } else {
                try renew(hook, program.file, on: cgroup)
                found = nil
            }
            repaired.append(
                Difference(
                    map: Self.driftName, key: hook.name, wanted: "our program at \(cgroupPath)", found: found)
            )
        }
    }

    /// Under which differences of hooks are counted, where others have the name of a map.
    static let driftName = "hooks"

    /// A link whose cgroup is gone or not the wanted one goes after the new attachment is there: a process in
    /// both is steered all the time.
    private func renew(
        _ hook: CgroupHook, _ program: borrowing FileDescriptor, on cgroup: borrowing FileDescriptor
    ) throws(BPFError) {
        let link = try attach(program, to: cgroup, hook: hook)
        try pins.replace(link.descriptor, as: Self.pinName(hook))
    }

    /// Puts each hook's program in force by links that are pinned in the staged directory: those of `former`
    /// get the new programs, which `replacement` notes, and what it lacks is attached.
    public func stage(
        _ programs: [CgroupHook: SharedDescriptor], over former: PinDirectory?,
        _ replacement: inout ProgramReplacement
    ) throws(BPFError) {
        let cgroup = try openCgroup()
        let wanted = try inode(of: cgroup)
        for hook in CgroupHook.allCases {
            guard let program = programs[hook] else { continue }
            let name = Self.pinName(hook)
            if let pinned = try former?.open(name) {
                let link = BPFLink(pinned)
                if try link.facts().target == wanted {
                    let held = SharedDescriptor(link.take())
                    try replacement.replace(at: held, hook: hook.name, with: program.file)
                    try pins.pinStaged(held.file, as: name)
                    continue
                }
            }
            let link = try attach(program.file, to: cgroup, hook: hook)
            try pins.pinStaged(link.descriptor, as: name)
        }
    }

    static func pinName(_ hook: CgroupHook) -> String { "link_\(hook.name)" }

    private func attach(
        _ program: borrowing FileDescriptor, to cgroup: borrowing FileDescriptor, hook: CgroupHook
    ) throws(BPFError) -> BPFLink {
        do throws(BPFError) {
            return try BPFLink.attach(program: program, to: cgroup, hook: hook)
        } catch {
            // The kernel's answer when the descriptor is of something else.
            guard case .failed(_, .badDescriptor) = error else { throw error }
            throw .failed(
                "attach to \(cgroupPath): it is no cgroup v2 directory; give another --cgroup2-path",
                .badDescriptor)
        }
    }

    private func openCgroup() throws(BPFError) -> FileDescriptor {
        do throws(Errno) {
            return try FileDescriptor.open(cgroupPath)
        } catch {
            throw .failed("open the cgroup \(cgroupPath)", error)
        }
    }

    private func inode(of cgroup: borrowing FileDescriptor) throws(BPFError) -> UInt64 {
        do throws(Errno) {
            return try cgroup.inode()
        } catch {
            throw .failed("look at the cgroup \(cgroupPath)", error)
        }
    }
}
