/// A file that one process at a time holds; the kernel lets go of it when the process ends.
internal import Glibc

public struct FileLock: ~Copyable, Sendable {
    private let path: String
    private let file: FileDescriptor

    /// Takes the lock. `EAGAIN` when another process holds it.
    public init(path: String) throws(Errno) {
        while true {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
            let number = file.number
            try syscall { flock(number, LOCK_EX | LOCK_NB) }
            // The holder before may have removed the file that was opened here.
            var status = stat()
            try syscall { unsafe fstat(number, &status) }
            if status.st_nlink > 0 {
                self.path = path
                self.file = file
                return
            }
        }
    }

    /// Gives the lock back and takes its file away.
    public consuming func removeFile() throws(Errno) {
        try Files.remove(path)
    }
}
