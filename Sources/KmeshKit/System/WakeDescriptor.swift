/// An eventfd: threads wake a thread that polls it.
internal import CLinux
internal import Glibc

public struct WakeDescriptor: ~Copyable, Sendable {
    private let file: FileDescriptor

    public init() throws(Errno) {
        file = FileDescriptor(owning: try syscall { eventfd(0, O_NONBLOCK | O_CLOEXEC) })
    }

    public var descriptor: Int32 { file.number }

    public borrowing func wake() {
        // A full counter is as good as a wake-up.
        _ = eventfd_write(file.number, 1)
    }

    /// Forgets the wake-ups so far.
    public borrowing func drain() {
        var count: eventfd_t = 0
        _ = unsafe eventfd_read(file.number, &count)
    }
}
