/// Command line of the sandbox: a node on one machine, with network namespaces as pods.
import ArgumentParser
import KmeshKit
import KmeshSandbox

@main
struct SandboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kmesh-sandbox",
        abstract: "Runs the pods of Kubernetes objects as network namespaces on this machine.",
        discussion: """
            kmesh-sandbox up samples/bookinfo.yaml
            kmesh-sandbox exec samples/bookinfo.yaml sleep -- curl -s http://reviews:9080
            kmesh-sandbox scale samples/bookinfo.yaml reviews-v1=3
            kmesh-sandbox down samples/bookinfo.yaml
            """,
        subcommands: [
            UpCommand.self, ExecCommand.self, ScaleCommand.self, StatusCommand.self, DownCommand.self,
            ServeCommand.self,
        ])
}

/// Which sandbox is meant.
struct SandboxArguments: ParsableArguments {
    @Argument(help: "The Kubernetes objects, as YAML or JSON.", completion: .file())
    var file: String

    @Option(help: "The sandbox's name. [default: from the file's]")
    var name: String?

    func sandbox(gate: SignalGate? = nil) throws -> Sandbox {
        try Sandbox(name: name ?? Sandbox.name(for: file), gate: gate) { line in say(line) }
    }
}

/// Runs the work of a command; what goes wrong is told in one line or few.
func attempt(_ work: () throws -> Void) throws {
    do {
        try work()
    } catch let error as ExitCode {
        throw error
    } catch {
        StandardError.write("kmesh-sandbox: \(error)")
        throw ExitCode.failure
    }
}

/// This program's own file; also after it was started by a relative path.
func ownExecutable() throws -> String {
    try Files.linkTarget("/proc/self/exe")
}

/// A line for people, at once.
func say(_ line: String) {
    StandardOutput.write(line + "\n")
}
