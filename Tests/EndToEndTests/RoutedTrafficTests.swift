/// Traffic that the kernel sends through the real waypoint: HTTP is routed, all else arrives untouched.
import Foundation
import Glibc
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class RoutedTrafficTests {
    let node: SandboxNode
    private let server: Client
    private let web = ["10.96.9.1", "fd00:10:96::9:1", "::ffff:10.96.9.1"]
    private let streams = ["10.96.9.4", "fd00:10:96::9:4", "::ffff:10.96.9.4"]

    init() throws {
        node = try SandboxNode(fixture: "routed.yaml", name: "routed", arguments: ["--node-name", "node-a"])
        server = try node.launch("streams.py", in: "streams", ["serve"])
        try node.wait(for: "the servers") { [node] in
            let dial = "import socket; socket.create_connection(('127.0.0.1', 7001)).close()"
            return try node.exec("streams", ["python3", "-c", dial]).status == 0
        }
    }

    deinit {
        server.terminate()
        do {
            try node.endDaemon(SIGTERM)
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    // One node serves all modes: making it takes longer than asking it.
    @Test func whateverIsSaidArrivesInEveryModeOfMetadata() throws {
        try ask("both")
        try changesAreTakenFromThePodOnly()
        for mode in ["option", "tlv"] {
            try node.endDaemon(SIGTERM)
            _ = try node.startDaemon("--waypoint-metadata", mode)
            try ask(mode)
        }
        try node.endDaemon(SIGTERM)
        _ = try node.startDaemon()
        try withoutTheLabelTrafficIsNotRouted()
    }

    private func ask(_ mode: String) throws {
        for address in web {
            let expected = ["http": "web-v1", "jason": "web-v2", "undeclared-http": "web-v1"]
            try expect(expected, from: address, mode)
        }
        for address in streams {
            var kinds = ["echo", "bulk", "undeclared-echo", "almost-records"]
            // A stream that begins with metadata tells nothing before its client speaks.
            if mode != "tlv" { kinds += ["greeted", "undeclared-silent", "nothing"] }
            try expect(Dictionary(uniqueKeysWithValues: kinds.map { ($0, "True") }), from: address, mode)
        }
    }

    private func expect(_ expected: [String: String], from address: String, _ mode: String) throws {
        let kinds = expected.keys.sorted()
        for answer in try node.run("streams.py", in: "client", ["ask", address] + kinds) {
            let kind = answer["kind"] ?? ""
            #expect(answer["result"] == expected[kind], "\(kind) to \(address), metadata \(mode)")
        }
    }

    private func changesAreTakenFromThePodOnly() throws {
        let addresses = try node.exec("waypoint", ["hostname", "-I"]).output
        let address = try #require(addresses.split(whereSeparator: \.isWhitespace).first)
        let ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"]
        #expect(try node.exec("client", ask + ["http://\(address):15021/readyz"]).output == "200")
        let drain = ask + ["-X", "POST", "http://\(address):15021/drain"]
        #expect(try node.exec("client", drain).output == "403")
        let level = ask + ["-X", "POST", "http://127.0.0.1:15021/logging?level=info"]
        #expect(try node.exec("waypoint", level).output == "200")
    }

    private func withoutTheLabelTrafficIsNotRouted() throws {
        let mesh = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        let without = mesh.replacing("gatewayClassName: kmesh-waypoint", with: "gatewayClassName: other")
        #expect(without != mesh)
        try without.write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        try node.wait(for: "traffic without a waypoint") {
            let answers = try (0..<8).map { _ in
                try node.run("streams.py", in: "client", ["ask", web[0], "jason"])[0]["result"] ?? ""
            }
            return answers.contains("web-v1") && answers.allSatisfy { $0.hasPrefix("web-") }
        }
    }
}
