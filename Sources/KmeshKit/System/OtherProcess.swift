/// A process that is no child of this one, held in a way that its number cannot become another's.
internal import CLinux
internal import Glibc

public struct OtherProcess: ~Copyable, Sendable {
    public let id: Int32
    private let handle: FileDescriptor

    public init(id: Int32) throws(Errno) {
        handle = FileDescriptor(owning: try syscall { kmesh_pidfd_open(id) })
        self.id = id
    }

    /// Whether the process has this file open.
    public func hasOpen(_ path: String) -> Bool {
        guard let wanted = try? FileStatus(path: path), let names = try? Files.list("/proc/\(id)/fd") else {
            return false
        }
        return names.contains { name in
            guard let status = try? FileStatus(path: "/proc/\(id)/fd/\(name)") else { return false }
            return status.inode == wanted.inode && status.device == wanted.device
        }
    }

    /// Ends it at once. One that has ended already is fine.
    public func kill() throws(Errno) {
        let pidfd = handle.number
        do throws(Errno) {
            try syscall { kmesh_pidfd_send_signal(pidfd, SIGKILL) }
        } catch {
            guard error == .noProcess else { throw error }
        }
    }
}
