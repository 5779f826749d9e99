/// `kmeshctl accesslog` and `kmeshctl monitoring`: what is observed of connections.
import ArgumentParser
import KmeshKit

struct AccessLogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accesslog", abstract: "Switches the access log of this node.",
        discussion: """
            The daemon writes a line on its standard output for each TCP connection of an enrolled pod that
            ends. Connections that were established before it was switched on are not seen. After a restart
            --enable-accesslog decides again.

            Examples:
              kmeshctl accesslog enable
              kmeshctl accesslog status -o json
            """)

    @Argument(help: "enable, disable or status.")
    var action: SwitchAction

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func run() throws { try daemon.perform(action, on: .accessLog, "the access log", format) }
}

struct MonitoringCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitoring", abstract: "Switches the metrics of connections on this node.",
        discussion: """
            Metrics of the daemon, its maps and its verdicts are always there. With --bpf-stats the command
            is about the run time of BPF programs, which the kernel counts for the whole machine.

            Examples:
              kmeshctl monitoring disable
              kmeshctl monitoring enable --bpf-stats
            """)

    @Argument(help: "enable, disable or status.")
    var action: SwitchAction

    @Flag(help: "The run time of BPF programs.")
    var bpfStats = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func run() throws {
        if bpfStats {
            try daemon.perform(action, on: .programStatistics, "the run time of programs", format)
        } else {
            try daemon.perform(action, on: .monitoring, "monitoring of connections", format)
        }
    }
}

enum SwitchAction: String, ExpressibleByArgument, CaseIterable {
    case enable, disable, status
}

extension ConnectionOptions {
    fileprivate func perform(
        _ action: SwitchAction, on part: TelemetryPart, _ what: String, _ format: FormatOptions
    ) throws {
        let request: AdminRequest =
            switch action {
            case .status: .telemetry
            case .enable: .setTelemetry(part, true)
            case .disable: .setTelemetry(part, false)
            }
        guard case .telemetry(let parts) = try ask(request).response else { try failUnexpected() }
        let isOn = parts.contains(part)
        format.write([part.rawValue: .bool(isOn)]) { "\(what) is \(isOn ? "on" : "off")\n" }
    }
}
