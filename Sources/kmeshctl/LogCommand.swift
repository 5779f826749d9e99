/// `kmeshctl log`: the levels of the daemon's loggers.
import ArgumentParser
import KmeshKit

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Prints and sets the levels of the daemon's loggers.",
        discussion: """
            What is set lasts until the daemon ends. The logger "default" stands for all without a level of \
            their own. Levels are trace, debug, info, notice, warning, error and critical.

            Examples:
              kmeshctl log                                  every logger with its level
              kmeshctl log --set config:debug               more of what is read and applied
              kmeshctl log --set default:error --set authz:info
            """)

    @Option(help: "A logger and its new level, as NAME:LEVEL; may be repeated.")
    var set: [LevelSetting] = []

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func run() throws {
        for setting in set {
            _ = try daemon.ask(.setLevel(logger: setting.logger, level: setting.level))
        }
        let answer = try daemon.ask(.loggers)
        guard case .loggers(let levels) = answer.response, let value = answer.json["loggers"] else {
            try daemon.failUnexpected()
        }
        format.write(value) { LoggerLevel.table(levels) }
    }
}

struct LevelSetting: ExpressibleByArgument {
    let logger: String
    let level: String

    init?(argument: String) {
        let halves = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, !halves[0].isEmpty, !halves[1].isEmpty else { return nil }
        (logger, level) = (String(halves[0]), String(halves[1]))
    }
}
