public import Glibc

/// A file descriptor that is closed when its owner goes away.
public struct FileDescriptor: ~Copyable, Sendable {
    public let number: Int32

    /// Takes ownership of `number`.
    public init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Gives the descriptor away; the caller closes it.
    public consuming func release() -> Int32 {
        let number = self.number
        discard self
        return number
    }

    public func duplicate() throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try syscall { fcntl(number, F_DUPFD_CLOEXEC, 0) })
    }

    /// `O_CLOEXEC` is always added.
    public static func open(
        _ path: String, _ flags: Int32 = O_RDONLY, mode: mode_t = 0
    ) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try syscall { unsafe Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    /// A file that is written at its end; it is made when missing.
    public static func openLog(_ path: String) throws(Errno) -> FileDescriptor {
        try open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
    }

    /// Reads at most `limit` bytes; empty at the end.
    public func read(upTo limit: Int) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(Errno) {
                count = try syscall { unsafe Glibc.read(number, buffer.baseAddress, limit) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Reads to the end; more than `limit` bytes are `EFBIG`.
    public func readAll(limit: Int) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let chunk = try read(upTo: 65536)
            if chunk.isEmpty { return bytes }
            bytes += chunk
            guard bytes.count <= limit else { throw Errno(EFBIG) }
        }
    }

    /// Writes all of `bytes`.
    public func write(_ bytes: [UInt8]) throws(Errno) {
        var done = 0
        while done < bytes.count {
            done += try syscall {
                unsafe bytes[done...].withUnsafeBytes { rest in
                    unsafe Glibc.write(number, rest.baseAddress, rest.count)
                }
            }
        }
    }

    public func inode() throws(Errno) -> UInt64 {
        var facts = stat()
        try syscall { unsafe fstat(number, &facts) }
        return UInt64(facts.st_ino)
    }
}

/// A file descriptor that several owners hold; the last one closes it.
public final class SharedDescriptor: Sendable {
    public let file: FileDescriptor

    public init(_ file: consuming FileDescriptor) {
        self.file = file
    }
}
