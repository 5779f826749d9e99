/// Where lines of the access log go: a file or a stream that several workers append to.
internal import CLinux
internal import Glibc
internal import KmeshKit
internal import Synchronization

final class LogFile: Sendable {
    enum Failure: Error {
        /// The reader is slow: later.
        case busy
        case failed(Errno)
    }

    /// `nil`: standard output.
    let path: String?
    /// Whether a write of any size is taken whole; a pipe takes at most `atomicSize` bytes so.
    let isRegular: Bool
    private let isSocket: Bool
    private let file: FileDescriptor

    /// What a pipe never takes apart.
    static let atomicSize = 4096

    init(_ path: String?) throws(Errno) {
        self.path = path
        file = try Self.open(path)
        let number = file.number
        var status = stat()
        let kind = unsafe fstat(number, &status) == 0 ? status.st_mode & S_IFMT : 0
        isRegular = kind == S_IFREG
        isSocket = kind == S_IFSOCK
    }

    /// Standard output is opened once more: that it never blocks must not hold for others who write to it.
    private static func open(_ path: String?) throws(Errno) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY
        if let path { return try FileDescriptor.open(path, flags, mode: 0o644) }
        do throws(Errno) {
            return try FileDescriptor.open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY)
        } catch {
            // A socket cannot be opened by its path; sends to it are told not to wait.
            let copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else { throw error }
            return FileDescriptor(owning: copy)
        }
    }

    /// Opens the path anew, after somebody renamed the file; lines being written go to one or the other.
    func reopen() throws(Errno) {
        guard path != nil else { return }
        let fresh = try Self.open(path)
        let (old, new) = (file.number, fresh.number)
        // One step: no number is without a file in between.
        guard dup2(new, old) >= 0 else { throw Errno(errno) }
        _ = fcntl(old, F_SETFD, FD_CLOEXEC)
    }

    /// Writes what is taken of `range`, and returns how much that was.
    func write(_ chunk: borrowing ByteChunk, _ range: Range<Int>) throws(Failure) -> Int {
        let number = file.number
        var code: Int32 = 0
        let count = unsafe chunk.lend(range) { bytes, count in
            let written =
                isSocket
                ? unsafe send(number, bytes, count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                : unsafe Glibc.write(number, bytes, count)
            code = errno
            return written
        }
        if count >= 0 { return count }
        if code == EAGAIN || code == EINTR { throw .busy }
        throw .failed(Errno(code))
    }
}
