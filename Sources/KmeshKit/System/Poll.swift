// Waiting for descriptors, outside of Swift's concurrency pool.
internal import Glibc

public enum Poll {
    /// Waits until one of `descriptors` is readable, at most `timeout`; `nil` waits for ever.
    /// Returns those that are readable, have hung up or have failed.
    public static func readable(_ descriptors: [Int32], timeout: Duration?) throws(Errno) -> [Int32] {
        var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let milliseconds: Int32
        if let timeout {
            let (seconds, attoseconds) = timeout.components
            // Rounded up, so that nobody wakes early and polls in a circle.
            let exact = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
            milliseconds = Int32(clamping: max(0, exact))
        } else {
            milliseconds = -1
        }
        try syscall { unsafe poll(&entries, nfds_t(entries.count), milliseconds) }
        return entries.filter { $0.revents != 0 }.map(\.fd)
    }
}
