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
        while true {
            let file: FileDescriptor
            do throws(Errno) {
                file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o644)
            } catch {
                throw .unusable(error)
            }
            let number = file.number
            do throws(Errno) {
                try syscall { flock(number, LOCK_EX | LOCK_NB) }
            } catch {
                guard error == .wouldBlock else { throw .unusable(error) }
                throw .held(by: holder(of: file))
            }
            do throws(Errno) {
                // The holder before may have removed the file that was opened here.
                guard try FileStatus(of: file).linkCount > 0 else { continue }
                try syscall { ftruncate(number, 0) }
                try file.write(Array("\(ProcessIdentity.pid)\n".utf8))
            } catch {
                throw .unusable(error)
            }
            return FileLock(owning: file)
        }
    }

    private static func holder(of file: borrowing FileDescriptor) -> String {
        let digits = ((try? file.read(upTo: 32)) ?? []).filter { (0x30...0x39).contains($0) }
        return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
    }

    private init(owning file: consuming FileDescriptor) {
        self.file = file
    }

    /// Lets go; the file stays.
    public consuming func release() {}
}
