/// `kmesh-sandbox exec`, `scale` and `status`.
import ArgumentParser
import KmeshKit
import KmeshSandbox

struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Runs a command in a pod: exec FILE sleep -- curl http://reviews:9080")

    @OptionGroup var target: SandboxArguments

    @Argument(help: "A pod, a Deployment or the beginning of a pod's name; with NAMESPACE/ if need be.")
    var pod: String

    @Argument(parsing: .postTerminator, help: "The command, after --.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("give a command after --") }
    }

    func run() throws {
        try attempt { try target.sandbox().program(command, in: pod).replaceProcess() }
    }
}

struct ScaleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale", abstract: "Gives Deployments another number of pods: scale FILE reviews-v1=3")

    @OptionGroup var target: SandboxArguments

    @Argument(help: "A Deployment, ReplicaSet or StatefulSet and its number of pods: NAME=N.")
    var scales: [Scale]

    @Option(help: "Milliseconds that a pod serves on after the mesh has forgotten it.")
    var drain = 200

    struct Scale: ExpressibleByArgument {
        let name: String
        let count: Int

        init?(argument: String) {
            let parts = argument.split(separator: "=")
            guard parts.count == 2, let count = Int(parts[1]), count >= 0 else { return nil }
            name = String(parts[0])
            self.count = count
        }
    }

    func run() throws {
        try attempt {
            let sandbox = try target.sandbox(gate: SignalGate())
            for scale in scales {
                try sandbox.scale(
                    scale.name, to: scale.count, serverPath: try ownExecutable(), drainMilliseconds: drain)
                say("\(scale.name) has \(scale.count) pods")
            }
        }
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "Shows what runs.")

    @OptionGroup var target: SandboxArguments

    func run() throws {
        try attempt {
            let sandbox = try target.sandbox()
            let status = try sandbox.status()
            say("sandbox \(status.name): \(status.isUp ? "up" : "not up in full")\n")
            say(table(pods(status)))
            say(table(services(status)))
            say("daemon: \(daemon(status.daemon, at: sandbox.paths.adminSocket))")
            say("files: \(sandbox.paths.root)")
        }
    }

    private func pods(_ status: SandboxStatus) -> [[String]] {
        [["POD", "NODE", "ADDRESSES", "PID", "STATE", "NETNS"]]
            + status.pods.map { pod in
                let state = pod.processes.isEmpty ? "ended" : pod.isEnrolled ? "enrolled" : "running"
                return [
                    "\(pod.namespace)/\(pod.name)", pod.node,
                    pod.addresses.map(\.description).joined(separator: " "),
                    pod.processes.first.map(String.init) ?? "-", state, pod.networkNamespace,
                ]
            }
    }

    private func services(_ status: SandboxStatus) -> [[String]] {
        [["SERVICE", "ADDRESSES", "PORTS", "PODS"]]
            + status.services.map { service in
                let addresses = service.addresses.map(\.description).joined(separator: " ")
                return [
                    "\(service.namespace)/\(service.name)", addresses.isEmpty ? "-" : addresses,
                    service.ports.joined(separator: " "), String(service.pods),
                ]
            }
    }

    private func daemon(_ daemon: SandboxStatus.Daemon, at socket: String) -> String {
        switch daemon {
        case .none: "none"
        case .running(let process, let enrolled):
            "process \(process), \(enrolled) pods enrolled, for kmeshctl --admin-socket \(socket)"
        case .silent: "does not answer at \(socket)"
        }
    }

    /// Columns as wide as their widest cell.
    private func table(_ rows: [[String]]) -> String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return cells.joined(separator: "  ").trimmingSpaces + "\n"
        }.joined()
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = self[...]
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
