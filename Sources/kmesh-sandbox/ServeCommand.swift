/// Runs the built-in server inside a pod.
import ArgumentParser
import KmeshSandbox

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Answers requests with who asked whom for what.", shouldDisplay: false
    )

    @Option(help: "The name that it answers with.")
    var pod: String

    @Option(help: "The namespace that it answers with.")
    var namespace = "default"

    @Option(name: .customLong("tcp"), help: "A port to serve HTTP/1.1 on; may be repeated.")
    var tcpPorts: [UInt16] = []

    @Option(name: .customLong("udp"), help: "A port to echo datagrams on; may be repeated.")
    var udpPorts: [UInt16] = []

    func run() throws {
        let options = EchoOptions(pod: pod, namespace: namespace, tcpPorts: tcpPorts, udpPorts: udpPorts)
        try EchoServer(options).run()
    }
}
