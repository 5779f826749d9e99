/// `kmesh-sandbox up` and `kmesh-sandbox down`.
import ArgumentParser
import KmeshKit
import KmeshSandbox

struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Makes the pods, and returns when all of them answer.")

    @OptionGroup var target: SandboxArguments

    @Option(help: "The daemon's program. [default: kmesh-daemon beside this one, when it is there]")
    var daemon: String?

    @Flag(help: "Starts no daemon: nothing steers the pods' traffic.")
    var noDaemon = false

    @Option(
        name: .customLong("daemon-arg"), parsing: .unconditionalSingleValue,
        help: "An argument for the daemon; may be repeated.")
    var daemonArguments: [String] = []

    @Option(help: "The Node that the daemon runs for. [default: the file's first]")
    var nodeName = ""

    @Option(help: "The pods' address families: \(Families.allCases.map(\.rawValue).joined(separator: ", ")).")
    var ipFamilies = Families.dual

    @Option(help: "Seconds that the pods may take to answer.")
    var wait = 30.0

    @Flag(help: "Stays, and takes the sandbox away when it is ended.")
    var foreground = false

    enum Families: String, ExpressibleByArgument, CaseIterable {
        case v4, v6, dual

        var list: [AddressFamily] {
            switch self {
            case .v4: [.v4]
            case .v6: [.v6]
            case .dual: [.v4, .v6]
            }
        }
    }

    func validate() throws {
        if noDaemon, daemon != nil { throw ValidationError("give either --daemon or --no-daemon") }
    }

    func run() throws {
        try attempt {
            let gate = SignalGate()
            let sandbox = try target.sandbox(gate: gate)
            let own = try ownExecutable()
            let settings = SandboxSettings(
                families: ipFamilies.list, nodeName: nodeName, daemonPath: try daemonPath(own),
                daemonArguments: daemonArguments)
            let start = ContinuousClock.now
            try sandbox.up(file: target.file, settings: settings, serverPath: own, waitSeconds: wait)
            let status = try sandbox.status()
            let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
            say("\(sandbox.name) is up: \(summary(status)), in \(Int(milliseconds)) ms")
            guard foreground else { return }
            say("ends with Ctrl-C")
            _ = gate.wait()
            try sandbox.down()
        }
    }

    private func daemonPath(_ own: String) throws -> String? {
        if noDaemon { return nil }
        if let daemon {
            guard let path = Program.find(daemon) else { throw SandboxError("there is no program \(daemon)") }
            return path
        }
        let directory = own.lastIndex(of: "/").map { own[..<$0] } ?? "."
        if let path = Program.find("\(directory)/kmesh-daemon") { return path }
        say("no kmesh-daemon beside \(own): nothing steers the pods' traffic")
        return nil
    }

    private func summary(_ status: SandboxStatus) -> String {
        let parts = "\(status.pods.count) pods, \(status.services.count) services"
        switch status.daemon {
        case .none: return "\(parts), no daemon"
        case .running(_, let enrolled): return "\(parts), \(enrolled) pods enrolled"
        case .silent: return "\(parts), a daemon that does not answer"
        }
    }
}

struct DownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Takes all of it away, also what a crash left.")

    @OptionGroup var target: SandboxArguments

    func run() throws {
        try attempt {
            let sandbox = try target.sandbox()
            say(try sandbox.down() ? "\(sandbox.name) is down" : "\(sandbox.name) was not up")
        }
    }
}
