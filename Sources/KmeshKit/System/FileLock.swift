/// A file that at most one process holds; the kernel lets go of it when the process ends, however it ends.
internal import Glibc

public struct FileLock: ~Copyable, Sendable {
    private let file: FileDescriptor

    public enum Failure: Error, Hashable, Sendable {
        /// What the holder wrote: its process id.
        case held(by: String)
        case unusable(Errno)
    }

    /// Takes the lock and writes this process's id into the file.
    public static func take(_ path: String) throws(Failure) -> FileLock {
        let file: FileDescriptor
        do throws(Errno) {
            file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o644)
        } catch {
            throw .unusable(error)
        }
        let number = file.number
        do throws(Errno) {
            try syscall { flock(number, LOCK_EX | LOCK_NB) }
        } catch where error == .wouldBlock {
            let holder = (try? file.read(upTo: 32)) ?? []
            let digits = holder.filter { (0x30...0x39).contains($0) }
            throw .held(by: digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self))
        } catch {
            throw .unusable(error)
        }
        if isRemoved(number) { return try take(path) }
        do throws(Errno) {
            try syscall { ftruncate(number, 0) }
            try file.write(Array("\(ProcessIdentity.pid)\n".utf8))
        } catch {
            throw .unusable(error)
        }
        return FileLock(owning: file)
    }

    /// A holder that has gone may have removed the file that was opened here; then another one counts.
    private static func isRemoved(_ number: Int32) -> Bool {
        var status = stat()
        return unsafe fstat(number, &status) == 0 && status.st_nlink == 0
    }

    private init(owning file: consuming FileDescriptor) {
        self.file = file
    }

    /// Lets go; the file stays, since removing it could take it from under the next holder.
    public consuming func release() {}
}
