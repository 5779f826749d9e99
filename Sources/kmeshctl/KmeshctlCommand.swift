/// People's tool for the daemon on this node: `kmeshctl dump services`.
import ArgumentParser
import KmeshKit

@main
struct KmeshctlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kmeshctl",
        abstract: "Asks the kmesh-daemon on this node.",
        discussion: """
            Exit codes: 0 when it is done. 1 when it could not be done; of verify, that the maps differ, \
            and of authz explain, that the connection is denied. 2 when verify or authz explain cannot \
            tell. 64 for a command line that is wrong. What went wrong stands on standard error, with \
            the remedy.

            -o json and -o yaml print for programs what -o table prints for people.
            """,
        version: KmeshVersion.current,
        subcommands: [
            StatusCommand.self, DumpCommand.self, VerifyCommand.self, TraceCommand.self,
            WaypointCommand.self, AuthzCommand.self, EnrollCommand.self, WithdrawCommand.self,
            LogCommand.self, VersionCommand.self,
        ])
}

/// The options that every subcommand has.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "The daemon's socket.")
    var adminSocket = AdminClient.defaultPath

    /// The daemon's answer. What went wrong is printed, and ends the program with `failure`.
    func ask(
        _ request: AdminRequest, failure: ExitCode = .failure
    ) throws -> (response: AdminResponse, json: JSONValue) {
        do {
            let answer = try AdminClient(path: adminSocket).ask(request)
            if case .error(let failure) = answer.response { throw AdminRefusal(message: failure.message) }
            return answer
        } catch {
            try fail("\(error)", failure)
        }
    }

    /// For an answer that does not belong to the request.
    func failUnexpected(_ failure: ExitCode = .failure) throws -> Never {
        try fail(
            "the daemon at \(adminSocket) answered another request; it may be of another version", failure)
    }
}

private struct AdminRefusal: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}

func fail(_ message: String, _ code: ExitCode = .failure) throws -> Never {
    StandardError.write("kmeshctl: \(message)")
    throw code
}

extension ExitCode {
    /// Of a command that answers a question by its exit code: it cannot tell.
    static let undecided = ExitCode(2)
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json, yaml
}

struct FormatOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "table, json or yaml.")
    var output = OutputFormat.table

    /// The value in the format asked for; `table` makes the text for people.
    func write(_ value: JSONValue, table: () -> String) {
        switch output {
        case .table: StandardOutput.write(table())
        case .json: StandardOutput.write(value.serialized(indentation: 2) + [UInt8(ascii: "\n")])
        case .yaml: StandardOutput.write(value.yaml)
        }
    }
}
