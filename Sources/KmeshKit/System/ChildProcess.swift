/// A running child. It goes on when its owner goes away.
internal import CLinux
internal import Glibc

public struct ChildProcess: ~Copyable, Sendable {
    public let id: Int32
    private let handle: FileDescriptor

    init(id: Int32, handle: consuming FileDescriptor) {
        self.id = id
        self.handle = handle
    }

    /// Waits until it ends. Its exit code, or 128 + the signal that ended it.
    public func wait() throws(Errno) -> Int32 {
        let pidfd = handle.number
        return try syscall { kmesh_wait(pidfd, 1) }
    }

    /// The exit code as in `wait`, when it has ended; asked once more afterwards it is `ECHILD`.
    public func exitCode() throws(Errno) -> Int32? {
        let pidfd = handle.number
        let code = try syscall { kmesh_wait(pidfd, 0) }
        return code == -2 ? nil : code
    }

    /// One that has ended already is fine.
    public func send(signal: Int32) throws(Errno) {
        let pidfd = handle.number
        do throws(Errno) {
            try syscall { kmesh_pidfd_send_signal(pidfd, signal) }
        } catch {
            guard error == .noProcess else { throw error }
        }
    }
}

extension Program {
    /// What a program left behind.
    public struct Outcome: Hashable, Sendable {
        /// The exit code, or 128 + the signal that ended it.
        public let code: Int32
        /// Its standard output.
        public let output: [UInt8]

        public var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// Runs it to its end with empty input and takes its output; standard error too with `mergingError`, else
    /// that is the caller's own. More than `limit` bytes are `EFBIG`; then it is ended.
    public func run(mergingError: Bool = false, limit: Int = 16 << 20) throws -> Outcome {
        var ends: [Int32] = [-1, -1]
        try syscall { unsafe kmesh_pipe(&ends) }
        let output = FileDescriptor(owning: ends[0])
        let writing = FileDescriptor(owning: ends[1])
        let empty = try FileDescriptor.open("/dev/null")
        let child = try start(
            Streams(input: empty.number, output: writing.number, error: mergingError ? writing.number : nil))
        // The pipe ends only when no writer is left, this process included.
        close(writing.release())
        do {
            let bytes = try output.readAll(limit: limit)
            return Outcome(code: try child.wait(), output: bytes)
        } catch {
            try child.send(signal: SIGKILL)
            throw error
        }
    }
}
