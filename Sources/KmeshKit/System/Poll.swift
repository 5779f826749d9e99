/// Waiting for several descriptors at once, outside of Swift's concurrency pool.
internal import Glibc

/// A descriptor and what to wait for. Errors and hang-ups are reported whether asked for or not.
struct PollEntry {
    private(set) var entry: pollfd

    init(_ descriptor: borrowing FileDescriptor, readable: Bool = false, writable: Bool = false) {
        self.init(number: descriptor.number, readable: readable, writable: writable)
    }

    init(number: Int32, readable: Bool = false, writable: Bool = false) {
        let events = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0)
        entry = pollfd(fd: number, events: Int16(events), revents: 0)
    }

    var isReady: Bool { entry.revents != 0 }
    var isReadable: Bool { entry.revents & Int16(POLLIN) != 0 }
    var isHungUp: Bool { entry.revents & Int16(POLLHUP | POLLERR) != 0 }

    /// Waits until an entry is ready or `timeout` is over; without one, for as long as it takes.
    static func wait(_ entries: inout [PollEntry], timeout: Duration?) throws(Errno) {
        var raw = entries.map(\.entry)
        let count = nfds_t(raw.count)
        let milliseconds = timeout.map(roundedUpMilliseconds) ?? -1
        try syscall { unsafe poll(&raw, count, milliseconds) }
        for index in raw.indices { entries[index].entry = raw[index] }
    }
}

public enum Poll {
    /// Waits until one of `descriptors` is readable, at most `timeout`; `nil` waits for ever.
    /// Returns those that are readable, have hung up or have failed.
    public static func readable(_ descriptors: [Int32], timeout: Duration?) throws(Errno) -> [Int32] {
        var entries = descriptors.map { PollEntry(number: $0, readable: true) }
        try PollEntry.wait(&entries, timeout: timeout)
        return entries.filter(\.isReady).map(\.entry.fd)
    }

    /// Blocks the thread for `duration`.
    static func sleep(_ duration: Duration) throws(Errno) {
        var none: [PollEntry] = []
        try PollEntry.wait(&none, timeout: duration)
    }
}

/// Rounded up, so that a deadline has passed when the wait for it ends.
private func roundedUpMilliseconds(_ duration: Duration) -> Int32 {
    let (seconds, attoseconds) = duration.components
    let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    return Int32(clamping: max(0, milliseconds))
}
