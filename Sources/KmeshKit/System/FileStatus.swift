/// What the kernel says of a file, and the names of groups.
internal import CLinux
internal import Glibc

public struct FileStatus: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case regular, directory, symbolicLink, socket, other
    }

    public let kind: Kind
    public let size: Int
    public let linkCount: Int
    public let device: UInt64
    public let inode: UInt64
    public let groupID: UInt32

    /// Follows symbolic links unless told otherwise.
    public init(path: String, followsLinks: Bool = true) throws(Errno) {
        var status = stat()
        try syscall { unsafe fstatat(AT_FDCWD, path, &status, followsLinks ? 0 : AT_SYMLINK_NOFOLLOW) }
        self.init(status)
    }

    public init(of file: borrowing FileDescriptor) throws(Errno) {
        let number = file.number
        var status = stat()
        try syscall { unsafe fstat(number, &status) }
        self.init(status)
    }

    private init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symbolicLink
        case S_IFSOCK: kind = .socket
        default: kind = .other
        }
        size = Int(status.st_size)
        linkCount = Int(status.st_nlink)
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        groupID = status.st_gid
    }

    /// The group's name, or its number when it has none.
    public static func groupName(_ id: UInt32) -> String {
        guard let entry = unsafe getgrgid(id), let name = unsafe entry.pointee.gr_name else {
            return String(id)
        }
        return unsafe String(cString: name)
    }
}

extension FileDescriptor {
    /// Opens for reading without ever waiting, as opening a pipe would.
    public static func openRegular(_ path: String) throws(Errno) -> FileDescriptor {
        guard try FileStatus(path: path).kind == .regular else { throw Errno(EINVAL) }
        return try open(path, O_RDONLY | O_NONBLOCK)
    }

    /// Whether anybody has the file open for writing; `nil` when the file system cannot tell.
    /// This descriptor must be open for reading only.
    public var hasWriters: Bool? {
        // The kernel grants a read lease only on a file without writers. Should one come before the lease is
        // given back, it waits for that, and we get a signal, for which one is chosen that nobody heeds.
        let setSignal: Int32 = 10, setLease: Int32 = 1024
        guard fcntl(number, setSignal, SIGURG) == 0 else { return nil }
        if fcntl(number, setLease, Int32(F_RDLCK)) == 0 {
            _ = fcntl(number, setLease, Int32(F_UNLCK))
            return false
        }
        return errno == EAGAIN ? true : nil
    }
}

extension Files {
    /// The path without symbolic links.
    public static func realPath(_ path: String) throws(Errno) -> String {
        guard let real = unsafe realpath(path, nil) else { throw Errno(errno) }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// Gives memory that is not in use back to the kernel.
    public static func releaseUnusedMemory() {
        malloc_trim(0)
    }
}
