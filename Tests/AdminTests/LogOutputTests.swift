import Logging
import Synchronization
import Testing

@testable import KmeshKit

@Suite struct LogOutputTests {
    private final class Lines: Sendable {
        let lines = Mutex<[String]>([])
        /// Without the time.
        var texts: [String] { lines.withLock { $0.map { String($0.dropFirst(25)) } } }
    }

    private func logger(_ label: String, _ levels: LogLevels, _ lines: Lines) -> Logger {
        Logger(label: label) { label in
            LogOutput(label: label, levels: levels) { line in lines.lines.withLock { $0.append(line) } }
        }
    }

    @Test func anEventIsALine() {
        let lines = Lines()
        var log = logger("daemon", LogLevels(.info), lines)
        log[metadataKey: "node"] = "n1"
        log.info("two\nlines", metadata: ["b": "x y", "a": "1", "c": ""])
        log.warning("w")
        #expect(
            lines.texts == [
                "info  daemon: two lines a=1 b=\"x y\" c=\"\" node=n1", "warning daemon: w node=n1",
            ])
    }

    @Test func levelsBelongToLabels() {
        let (lines, levels) = (Lines(), LogLevels(.warning))
        let (first, second) = (logger("a", levels, lines), logger("b", levels, lines))
        first.info("no")
        levels["a"] = .debug
        first.debug("yes")
        second.info("no")
        second.error("yes")
        #expect(lines.texts == ["debug a: yes", "error b: yes"])
    }

    @Test func timesAreThoseOfISO8601() {
        #expect(WallClock(seconds: 0, nanoseconds: 0).iso8601 == "1970-01-01T00:00:00.000Z")
        #expect(
            WallClock(seconds: 1_795_395_723, nanoseconds: 456_999_999).iso8601 == "2026-11-23T01:02:03.456Z")
    }
}
