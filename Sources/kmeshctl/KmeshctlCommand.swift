/// People's tool for the daemon on this node: `kmeshctl dump services`.
import ArgumentParser
import KmeshKit

@main
struct KmeshctlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kmeshctl",
        abstract: "Asks the kmesh-daemon on this node.",
        version: KmeshVersion.current,
        subcommands: [
            EnrollCommand.self, WithdrawCommand.self, DumpCommand.self, VerifyCommand.self,
            TraceCommand.self,
            StatusCommand.self, AuthzCommand.self, VersionCommand.self,
        ])
}

/// The options that every subcommand has.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "The daemon's socket.")
    var adminSocket = AdminClient.defaultPath

    /// The daemon's answer. What went wrong is printed, and ends the program.
    func ask(_ request: AdminRequest) throws -> (response: AdminResponse, json: JSONValue) {
        do {
            let answer = try AdminClient(path: adminSocket).ask(request)
            if case .error(let failure) = answer.response { throw AdminRefusal(message: failure.message) }
            return answer
        } catch {
            try fail("\(error)")
        }
    }

    /// For an answer that does not belong to the request.
    func failUnexpected() throws -> Never {
        try fail("the daemon at \(adminSocket) answered another request; it may be of another version")
    }
}

private struct AdminRefusal: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}

func fail(_ message: String) throws -> Never {
    StandardError.write("kmeshctl: \(message)")
    throw ExitCode.failure
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
