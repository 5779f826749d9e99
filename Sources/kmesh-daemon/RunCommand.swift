/// Runs the daemon in the foreground until SIGTERM or SIGINT.
import ArgumentParser
import KmeshDaemon
import KmeshKit
import Telemetry

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Steers this node's mesh traffic in the kernel (without a subcommand, this).",
        usage: """
            kmesh-daemon --mesh-file <mesh-file> [<options>]
            kmesh-daemon --mode kernel-native --static-xds <file> [<options>]
            kmesh-daemon uninstall [<options>]
            kmesh-daemon version
            """,
        discussion: "Runs in the foreground until SIGTERM or SIGINT. SIGHUP reads the files again.")

    @OptionGroup var arguments: RunArguments

    func run() async throws {
        let levels = LogLevels(arguments.logLevel)
        levels.install()
        do {
            let options = try arguments.options()
            let authorization = EngineFactory.authorization(options.engine)
            let engine = EngineFactory.make(options.mode, options.engine, authorization)
            let daemon = Daemon(
                options, engine: engine, authorization: authorization, source: SourceFactory.make(options),
                loggers: Loggers(levels, others: [VerdictLog.name: VerdictLog(engine, levels)]),
                observer: try ConnectionTelemetry(options.telemetry, engine: engine, options.engine))
            try await daemon.run(signals: ProcessSignal.stream())
        } catch {
            StandardError.write("kmesh-daemon: \(error)")
            throw ExitCode.failure
        }
    }
}
