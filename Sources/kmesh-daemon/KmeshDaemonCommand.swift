/// The node's daemon: `kmesh-daemon --mesh-file mesh.yaml`.
import ArgumentParser
import KmeshDaemon
import KmeshKit
import Logging

@main
struct KmeshDaemonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kmesh-daemon",
        abstract: "Steers this node's mesh traffic in the kernel.",
        usage: """
            kmesh-daemon --mesh-file <mesh-file> [<options>]
            kmesh-daemon <subcommand>
            """,
        version: KmeshVersion.current,
        subcommands: [RunCommand.self, UninstallCommand.self, VersionCommand.self],
        defaultSubcommand: RunCommand.self)

    /// Who asks for help wants to see the flags, which are those of the default subcommand.
    static func main() async {
        if ["--help", "-h", "help"].contains(CommandLine.arguments.last), CommandLine.arguments.count == 2 {
            print(RunCommand.helpMessage())
        } else {
            await main(nil)
        }
    }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Prints the version.")

    func run() {
        print("kmesh-daemon \(KmeshVersion.current)")
    }
}

struct UninstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall",
        abstract:
            "Removes everything that daemons left: programs, maps and state. Traffic is steered no more.")

    @Option(help: "Where the BPF file system is mounted.")
    var bpfFsPath = "/sys/fs/bpf"

    @Option(help: "The daemon's state directory.")
    var stateDir = "/run/kmesh"

    func run() async throws {
        do {
            let options = EngineOptions(nodeName: "", bpfFileSystemPath: bpfFsPath, cgroupPath: "")
            try await Daemon.uninstall(
                stateDirectory: stateDir, engines: EngineFactory.all(options), telemetry: options)
            print("removed")
        } catch {
            StandardError.write("kmesh-daemon: \(error)")
            throw ExitCode.failure
        }
    }
}
