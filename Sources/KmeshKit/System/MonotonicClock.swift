/// The clock that programs in the kernel read: since the machine's start, without the time it slept.
internal import Glibc

public enum MonotonicClock {
    public static func nanoseconds() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The time of day at which this clock showed `nanoseconds`, as the two clocks stand now.
    public static func wallClock(at nanoseconds: UInt64) -> WallClock {
        let now = WallClock.now()
        let since = Int64(clamping: Self.nanoseconds()) - Int64(clamping: nanoseconds)
        let total = now.nanoseconds - since
        // Rounded down, so that the fraction is never negative.
        let (seconds, fraction) = total.quotientAndRemainder(dividingBy: 1_000_000_000)
        return fraction < 0
            ? WallClock(seconds: now.seconds + seconds - 1, nanoseconds: fraction + 1_000_000_000)
            : WallClock(seconds: now.seconds + seconds, nanoseconds: fraction)
    }
}
