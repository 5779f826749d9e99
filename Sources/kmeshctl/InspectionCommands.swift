/// `kmeshctl verify`, `status` and `version`.
import ArgumentParser
import KmeshKit

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Compares the kernel's maps with the wanted state. Exits with 1 when they differ.",
        discussion: """
            Names each entry that is missing, different, damaged or should not be there. Exits with 0 when \
            there is none, with 1 when there are some, and with 2 when it cannot tell.

            Examples:
              kmeshctl verify
              kmeshctl verify -o json
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func run() throws {
        let answer = try daemon.ask(.verify, failure: .undecided)
        guard case .differences(let differences) = answer.response else {
            try daemon.failUnexpected(.undecided)
        }
        format.write(answer.json) {
            guard !differences.isEmpty else { return "the kernel's maps are as wanted\n" }
            var table = TextTable(["MAP", "KEY", "WANTED", "FOUND"])
            for difference in differences {
                table.add([
                    difference.map, difference.key, difference.wanted ?? "nothing",
                    difference.found ?? "nothing",
                ])
            }
            return table.text + "\(differences.count) differences\n"
        }
        if !differences.isEmpty { throw ExitCode.failure }
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Prints how the daemon is: what it runs and what went wrong.",
        discussion: """
            Examples:
              kmeshctl status
              kmeshctl status -o json
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func run() throws {
        let answer = try daemon.ask(.status)
        guard case .status(let status) = answer.response, let value = answer.json["status"] else {
            try daemon.failUnexpected()
        }
        format.write(value) { status.table }
    }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Prints the versions of this program and of the daemon.",
        discussion: """
            Examples:
              kmeshctl version
              kmeshctl version -o yaml
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func run() throws {
        // Known without a daemon, so printed before one is asked.
        if format.output == .table { print("kmeshctl     \(KmeshVersion.current)") }
        guard case .version(let report) = try daemon.ask(.version).response else {
            try daemon.failUnexpected()
        }
        let value: JSONValue = [
            "kmeshctl": .string(KmeshVersion.current), "daemon": .string(report.version),
            "mode": .string(report.mode),
        ]
        format.write(value) { "kmesh-daemon \(report.version) (\(report.mode))\n" }
    }
}
