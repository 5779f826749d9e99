/// A group of processes in the cgroup v2 tree.
internal import Glibc

public struct Cgroup: Hashable, Sendable {
    /// The group's directory.
    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// Where cgroup v2 is mounted: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` beside version 1. `nil`:
    /// nowhere.
    public static func mountPoint() throws(Errno) -> String? {
        try Mounts.all().last { $0.kind == "cgroup2" }?.path
    }

    public var exists: Bool { Files.exists(path) }

    public func create() throws(Errno) {
        try syscall { unsafe mkdir(path, 0o755) }
    }

    /// What BPF programs see as the group's id.
    public func id() throws(Errno) -> UInt64 {
        var status = stat()
        try syscall { unsafe stat(path, &status) }
        return UInt64(status.st_ino)
    }

    /// The processes in this group itself, not in those below; none when the group is gone.
    public func processes() throws(Errno) -> [Int32] {
        do throws(Errno) {
            return try Files.readText("\(path)/cgroup.procs", limit: 16 << 20)
                .split(separator: "\n").compactMap { Int32($0) }
        } catch {
            guard error == .noEntry || error.code == ENODEV else { throw error }
            return []
        }
    }

    /// That a process lives in this group or below.
    public func isPopulated() throws(Errno) -> Bool {
        do throws(Errno) {
            return try Files.readText("\(path)/cgroup.events").split(separator: "\n").contains("populated 1")
        } catch {
            guard error == .noEntry || error.code == ENODEV else { throw error }
            return false
        }
    }

    /// Ends every process in this group and below. They may take a moment to go.
    public func kill() throws(Errno) {
        do throws(Errno) {
            try Files.write("\(path)/cgroup.kill", "1")
        } catch {
            guard error == .noEntry || error.code == ENODEV else { throw error }
        }
    }

    /// Removes the group and those below it. `EBUSY` while processes are left; a group that is not there is
    /// fine.
    public func removeTree() throws(Errno) {
        for child in try children() { try child.removeTree() }
        do throws(Errno) {
            try syscall { unsafe rmdir(path) }
        } catch {
            guard error == .noEntry else { throw error }
        }
    }

    /// The groups right below.
    public func children() throws(Errno) -> [Cgroup] {
        do throws(Errno) {
            return try Files.list(path).map { Cgroup(path: "\(path)/\($0)") }.filter { $0.isDirectory }
        } catch {
            guard error == .noEntry else { throw error }
            return []
        }
    }

    private var isDirectory: Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
