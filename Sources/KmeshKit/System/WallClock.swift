/// The time of day in UTC.
internal import Glibc

public struct WallClock: Hashable, Sendable {
    /// Since 1970, as the kernel counts: without leap seconds.
    public let seconds: Int64
    public let nanoseconds: Int64

    public init(seconds: Int64, nanoseconds: Int64) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func now() -> WallClock {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return WallClock(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// To the millisecond: `2026-11-23T01:02:03.456Z`.
    public var iso8601: String {
        var seconds = time_t(self.seconds)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        let date = [digits(year, 4), digits(month, 2), digits(day, 2)]
        let time = [digits(hour, 2), digits(minute, 2), digits(second, 2)]
        let fraction = digits(Int32(nanoseconds / 1_000_000), 3)
        return "\(date.joined(separator: "-"))T\(time.joined(separator: ":")).\(fraction)Z"
    }
}

private func digits(_ number: Int32, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
}
