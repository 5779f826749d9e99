/// Command line of the sandbox: a node on one machine, with network namespaces as pods.
import ArgumentParser
import KmeshSandbox

@main
struct SandboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kmesh-sandbox",
        abstract: "Runs the pods of Kubernetes objects as network namespaces on this machine.",
        subcommands: [ServeCommand.self])
}
