/// `kmeshctl trace`: the verdicts on a pod's connections as they are made.
import ArgumentParser
import KmeshKit

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Shows where the connections of a pod go, and why, until it is interrupted.")

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json
    }

    @Argument(help: "An enrolled pod of this node, as namespace/name.")
    var pod: PodName

    @Option(name: [.customShort("o"), .long], help: "table, or json: an object a line.")
    var output = Format.table

    @Option(help: "Ends after so many seconds.")
    var duration: Int?

    @Option(help: "Ends after so many verdicts.")
    var count: Int?

    @OptionGroup var daemon: ConnectionOptions

    /// Milliseconds between two questions. The daemon keeps 1,024 verdicts and the kernel 2,000.
    private static let pause = 200

    func validate() throws {
        if let duration, duration < 1 { throw ValidationError("--duration must be at least 1 second") }
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
    }

    func run() throws {
        let signals = SignalGate()
        let end = duration.map { ContinuousClock.now + .seconds($0) }
        var progress = Progress(left: count)
        try ask(&progress)
        if output == .table { StandardOutput.write(TraceEvent.columns + "\n") }
        while !progress.isDone {
            let isInterrupted = signals.wait(milliseconds: Self.pause) != nil
            // What came before the end is part of it.
            try ask(&progress)
            if isInterrupted { return }
            if let end, ContinuousClock.now >= end { return }
        }
    }

    private struct Progress {
        var after: UInt64?
        var left: Int?
        var lost: UInt64 = 0

        var isDone: Bool { left == 0 }
    }

    private func ask(_ progress: inout Progress) throws {
        let request = AdminRequest.trace(TraceRequest(pod: pod, after: progress.after))
        guard case .trace(let report) = try daemon.ask(request).response else {
            try daemon.failUnexpected()
        }
        tell(missed: report.missed, lost: report.lost - min(report.lost, progress.lost))
        (progress.after, progress.lost) = (report.last, report.lost)
        for event in report.events.prefix(progress.left ?? Int.max) {
            switch output {
            case .table: StandardOutput.write(event.text + "\n")
            case .json: StandardOutput.write(event.json.serialized() + [UInt8(ascii: "\n")])
            }
            if let left = progress.left { progress.left = left - 1 }
        }
    }

    private func tell(missed: UInt64, lost: UInt64) {
        guard missed > 0 || lost > 0 else { return }
        switch output {
        case .table:
            if missed > 0 { StandardError.write("kmeshctl: \(missed) verdicts were too many to show") }
            if lost > 0 {
                StandardError.write(
                    "kmeshctl: \(lost) verdicts on traced pods are lost: the kernel's ring was full")
            }
        case .json:
            let value: JSONValue = ["missed": JSONValue(missed), "lost": JSONValue(lost)]
            StandardOutput.write(value.serialized() + [UInt8(ascii: "\n")])
        }
    }
}
