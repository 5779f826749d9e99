/// The clock that programs in the kernel read: since the machine's start, without the time it slept.
internal import Glibc

public enum MonotonicClock {
    public static func nanoseconds() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Nanoseconds from this clock's zero to 1970, as the two clocks stand now: the time of day may be set.
    public static func offset() -> Int64 {
        let now = WallClock.now()
        return now.seconds * 1_000_000_000 + now.nanoseconds - Int64(clamping: nanoseconds())
    }

    /// The time of day at which this clock showed `nanoseconds`, by an offset of above.
    public static func wallClock(at nanoseconds: UInt64, offset: Int64 = offset()) -> WallClock {
        // Records that a stranger has written may say any number.
        let total = max(0, Int64(clamping: nanoseconds).addingReportingOverflow(offset).partialValue)
        return WallClock(seconds: total / 1_000_000_000, nanoseconds: total % 1_000_000_000)
    }
}
