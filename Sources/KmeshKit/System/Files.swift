public import Glibc

/// Small files and directories, by path.
public enum Files {
    /// The whole file; more than `limit` bytes are `EFBIG`.
    public static func read(_ path: String, limit: Int = 1 << 20) throws(Errno) -> [UInt8] {
        try FileDescriptor.open(path).readAll(limit: limit)
    }

    public static func readText(_ path: String, limit: Int = 1 << 20) throws(Errno) -> String {
        String(decoding: try read(path, limit: limit), as: UTF8.self)
    }

    /// Replaces `path` in one step: readers see the old content or the new, also after a crash.
    public static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o600) throws(Errno) {
        let temporary = "\(path).tmp"
        let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        try file.write(bytes)
        try syscall { fsync(file.number) }
        try syscall { unsafe rename(temporary, path) }
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let parent = try FileDescriptor.open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY)
        try syscall { fsync(parent.number) }
    }

    /// Renames; a file that is already called `target` is replaced.
    public static func move(_ path: String, to target: String) throws(Errno) {
        try syscall { unsafe rename(path, target) }
    }

    /// Writes to an existing file without replacing it, as the kernel's control files want.
    public static func write(_ path: String, _ text: String) throws(Errno) {
        try FileDescriptor.open(path, O_WRONLY).write(Array(text.utf8))
    }

    /// Makes the directory and those above it; one that exists is fine.
    public static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(Errno) {
        var prefix = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            prefix += "/\(part)"
            do throws(Errno) {
                try syscall { unsafe mkdir(prefix, mode) }
            } catch {
                if error != .exists { throw error }
            }
        }
    }

    /// Names in a directory, sorted, without `.` and `..`.
    public static func list(_ path: String) throws(Errno) -> [String] {
        guard let directory = unsafe opendir(path) else { throw Errno(errno) }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    public static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Where a symbolic link leads to.
    public static func linkTarget(_ path: String) throws(Errno) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = try syscall {
            unsafe buffer.withUnsafeMutableBytes { bytes in
                guard let start = unsafe bytes.assumingMemoryBound(to: CChar.self).baseAddress else {
                    return 0
                }
                return unsafe readlink(path, start, bytes.count)
            }
        }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    /// Removes a file; one that is not there is fine.
    public static func remove(_ path: String) throws(Errno) {
        do throws(Errno) {
            try syscall { unsafe unlink(path) }
        } catch {
            if error != .noEntry { throw error }
        }
    }

    /// Gives an existing file new content in place, so that mounts of it show that too; it is made when
    /// missing. The new bytes are written before old ones are cut off: a reader never sees an empty file.
    public static func overwrite(_ path: String, with bytes: [UInt8]) throws(Errno) {
        let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT, mode: 0o644)
        try file.write(bytes)
        try syscall { ftruncate(file.number, bytes.count) }
    }

    /// Removes an empty directory; one that is not there is fine.
    public static func removeDirectory(_ path: String) throws(Errno) {
        do throws(Errno) {
            try syscall { unsafe rmdir(path) }
        } catch {
            guard error == .noEntry else { throw error }
        }
    }
}
