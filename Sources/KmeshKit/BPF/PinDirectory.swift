internal import CLinux
internal import Glibc

/// A directory of bpffs that keeps maps and links alive without us.
public struct PinDirectory: Sendable {
    public let path: String
    private let root: String

    /// `root` must be a mounted bpffs; our pins live in `<root>/kmesh/<name>`.
    public init(root: String, name: String) throws(BPFError) {
        guard unsafe kmesh_is_bpf_file_system(root) == 1 else {
            throw .failed(
                "use \(root) for pins: it is no bpf file system; mount one: mount -t bpf bpf \(root)",
                .invalid)
        }
        path = "\(root)/kmesh/\(name)"
        self.root = root
    }

    /// Keeps other daemons from pins in the same file system, also ones with a state directory of their own:
    /// two would take each other's maps. Held until the descriptor is closed.
    public func lock() throws(BPFError) -> FileDescriptor {
        do throws(Errno) {
            let directory = try FileDescriptor.open(root)
            let number = directory.number
            try syscall { flock(number, LOCK_EX | LOCK_NB) }
            return directory
        } catch let error where error == .wouldBlock {
            throw .failed(
                "use \(root) for pins: another daemon uses it; end it first, or mount a bpf file system "
                    + "for each and name it with --bpf-fs-path", .busy)
        } catch {
            throw .failed("lock \(root)", error)
        }
    }

    /// Waits for the lock up to `limit`: the kernel lets go of a process's locks one after the other.
    public func lock(waiting limit: Duration) async throws(BPFError) -> FileDescriptor {
        let end = ContinuousClock.now + limit
        while true {
            do throws(BPFError) {
                return try lock()
            } catch {
                guard case .failed(_, .busy) = error, ContinuousClock.now < end,
                    (try? await Task.sleep(for: .milliseconds(20))) != nil
                else { throw error }
            }
        }
    }

    public var exists: Bool { Files.exists(path) }

    /// bpffs refuses names with a dot.
    static let stagingSuffix = "-staging"

    private var staging: String { path + Self.stagingSuffix }

    /// Begins a new directory under another name; a leftover of a crash is removed.
    public func stage() throws(BPFError) {
        do throws(Errno) {
            try Self.removeTree(staging)
            try Files.makeDirectories(staging, mode: 0o700)
        } catch {
            throw .failed("make the pin directory \(staging)", error)
        }
    }

    /// Pins into the staged directory.
    public func pinStaged(_ descriptor: borrowing FileDescriptor, as name: String) throws(BPFError) {
        try Self.pin(descriptor, at: "\(staging)/\(name)")
    }

    /// Gives the staged directory its name: from here on the next start adopts it.
    public func commit() throws(BPFError) {
        do throws(Errno) {
            try syscall { unsafe rename(staging, path) }
        } catch {
            throw .failed("name the pin directory \(path)", error)
        }
    }

    /// Removes a staged directory that did not get its name.
    public func removeStaged() throws(BPFError) {
        do throws(Errno) {
            try Self.removeTree(staging)
        } catch {
            throw .failed("remove the pin directory \(staging)", error)
        }
    }

    public func pin(_ descriptor: borrowing FileDescriptor, as name: String) throws(BPFError) {
        try Self.pin(descriptor, at: "\(path)/\(name)")
    }

    /// Puts an object into the place of the one pinned as `name`, in one step, after `work`.
    ///
    /// Meanwhile both are pinned. A program array is emptied with its last pin, so `work` replaces the
    /// programs that use the older one. When it fails both stay, for some programs may use one and some the
    /// other; the next replacement that succeeds lets both go.
    public func replace(
        _ descriptor: borrowing FileDescriptor, as name: String, after work: () throws(BPFError) -> Void = {}
    ) throws(BPFError) {
        let (prefix, names) = ("\(name)_next", try pinnedNames())
        // A name of its own: another's pin may be what keeps a program going.
        let temporary = (0...).lazy.map { "\(prefix)\($0)" }.first { !names.contains($0) } ?? prefix
        try pin(descriptor, as: temporary)
        try work()
        do throws(Errno) {
            try Files.move("\(path)/\(temporary)", to: "\(path)/\(name)")
        } catch {
            throw .failed("name the pin \(path)/\(name)", error)
        }
        for leftover in names where leftover.hasPrefix(prefix) { try unpin(leftover) }
    }

    public func pinnedNames() throws(BPFError) -> [String] {
        do throws(Errno) {
            return try Files.list(path)
        } catch {
            throw .failed("list the pins in \(path)", error)
        }
    }

    /// The object pinned as `name`; nil when there is none.
    public func open(_ name: String) throws(BPFError) -> FileDescriptor? {
        let result = unsafe kmesh_bpf_object_get("\(path)/\(name)")
        if result == -ENOENT { return nil }
        guard result >= 0 else { throw .failed("open the pin \(path)/\(name)", Errno(-result)) }
        return FileDescriptor(owning: result)
    }

    public func unpin(_ name: String) throws(BPFError) {
        do throws(Errno) {
            try Files.remove("\(path)/\(name)")
        } catch {
            throw .failed("remove the pin \(path)/\(name)", error)
        }
    }

    /// Removes all pins of the directory, and with them whatever only they kept alive.
    public func removeAll() throws(BPFError) {
        do throws(Errno) {
            try Self.removeTree(path)
            try Self.removeTree(staging)
            // The parent goes when no other engine has pins.
            let parent = path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
            unsafe rmdir(parent)
        } catch {
            throw .failed("remove the pin directory \(path)", error)
        }
    }

    private static func pin(_ descriptor: borrowing FileDescriptor, at path: String) throws(BPFError) {
        let result = unsafe kmesh_bpf_object_pin(descriptor.number, path)
        guard result >= 0 else { throw .failed("pin \(path)", Errno(-result)) }
    }

    private static func removeTree(_ path: String) throws(Errno) {
        guard Files.exists(path) else { return }
        for name in try Files.list(path) { try Files.remove("\(path)/\(name)") }
        try syscall { unsafe rmdir(path) }
    }
}
