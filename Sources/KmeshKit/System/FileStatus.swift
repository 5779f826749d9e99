/// What the file system knows about a path, and the names of groups.
internal import Glibc

public struct FileStatus: Hashable, Sendable {
    public let device: UInt64
    public let inode: UInt64
    public let groupID: UInt32
    public let isSocket: Bool

    /// Of the file that `path` leads to.
    public static func read(_ path: String) throws(Errno) -> FileStatus {
        var status = stat()
        try syscall { unsafe stat(path, &status) }
        return FileStatus(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), groupID: status.st_gid,
            isSocket: status.st_mode & S_IFMT == S_IFSOCK)
    }

    /// The group's name, or its number when it has none.
    public static func groupName(_ id: UInt32) -> String {
        guard let entry = unsafe getgrgid(id), let name = unsafe entry.pointee.gr_name else { return String(id) }
        return unsafe String(cString: name)
    }
}
