/// Holds back the signals that ask a program to end, so that it ends at a place of its choice.
internal import Glibc

public struct SignalGate: Sendable {
    /// From now on SIGINT, SIGTERM and SIGHUP wait until they are asked for.
    public init() {
        var set = Self.set()
        unsafe sigprocmask(SIG_BLOCK, &set, nil)
    }

    /// Waits, at most `milliseconds`. The signal's number when one has come.
    public func wait(milliseconds: Int) -> Int32? {
        var set = Self.set()
        var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        let number = unsafe sigtimedwait(&set, nil, &time)
        return number > 0 ? number : nil
    }

    /// Waits until one has come.
    public func wait() -> Int32 {
        while true {
            if let number = wait(milliseconds: 3_600_000) { return number }
        }
    }

    private static func set() -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in [SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&set, number) }
        return set
    }
}

/// Sleeps; for programs of one thread.
public func pause(milliseconds: Int) {
    usleep(UInt32(clamping: milliseconds * 1000))
}
