/// What reaches a waypoint, and what it is told, in network namespaces with programs in the kernel.
import Foundation
import Glibc
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class WaypointTests {
    let node: SandboxNode
    private let stub: Client
    private let web4 = "10.96.8.1", web6 = "fd00:10:96::8:1", plain = "10.96.8.2"
    private let option4 = "fd0b4b4d010a6008010050", tlv4 = "01000000060a6008010050fe00000000"
    private let option6 = "fd094b4d03d918d9b4"
    private let tlv6 = "0100000012fd0000100096000000000000000800010050fe00000000"

    init() throws {
        node = try SandboxNode(
            fixture: "waypoint.yaml", name: "waypoint", arguments: ["--node-name", "node-a"])
        stub = try node.launch("waypoint_stub.py", in: "waypoint", [])
        try node.wait(for: "the stub") { [node] in
            let dial = "import socket; socket.create_connection(('127.0.0.1', 15019)).close()"
            return try node.exec("waypoint", ["python3", "-c", dial]).status == 0
        }
    }

    deinit {
        stub.terminate()
        do {
            try node.endDaemon(SIGTERM)
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    // One node serves all cases: making it takes longer than asking it.
    @Test func aWaypointIsToldWhatWasDialed() throws {
        try everyShapeArrivesWhole()
        try socketsWithoutATLVHaveTheOption()
        try serversThatSpeakFirstAreTold()
        try labelsDecide()
        try nothingComesBackToAWaypoint()
        try cookiesLeaveTheTLV()
        try aStormArrivesWhole()
        let verified = try node.control("verify")
        #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
        try aRestartKeepsEverything()
        try modesChooseWhatIsSent()
        try withoutTheWaypointTrafficGoesStraight()
    }

    private func send(
        _ address: String, _ port: String = "80", _ shapes: String...
    ) throws -> [[String: String]] {
        try node.run(
            "waypoint_client.py", in: "client", ["send", address, port] + (shapes.isEmpty ? ["one"] : shapes))
    }

    private func everyShapeArrivesWhole() throws {
        let shapes = [
            "one", "ten", "mega", "huge", "nonblocking", "writev", "sendfile", "splice", "zerocopy", "more",
            "cork", "bytes", "empty", "tiny",
        ]
        let arguments = ["send", web4, "80"] + shapes
        for answer in try node.run("waypoint_client.py", in: "client", arguments) {
            #expect(answer["option"] == option4 && answer["tlv"] == tlv4, "\(answer)")
            #expect(answer["whole"] == "1" && answer["peer"] == "10.96.8.1:80", "\(answer)")
        }
        for answer in try send(web6, "80", "one", "mega", "bytes") {
            #expect(answer["option"] == option6 && answer["tlv"] == tlv6, "\(answer)")
            #expect(answer["whole"] == "1" && answer["peer"] == "[fd00:10:96::8:1]:80", "\(answer)")
        }
        // An IPv6 socket to a mapped address tells of IPv4.
        let mapped = try send("::ffff:10.96.8.1")[0]
        #expect(mapped["option"] == option4 && mapped["tlv"] == tlv4, "\(mapped)")
        #expect(mapped["peer"] == "[::ffff:10.96.8.1]:80")
    }

    /// Bytes that went before the socket was established carry no TLV, and none comes behind them.
    private func socketsWithoutATLVHaveTheOption() throws {
        for (address, option) in [(web4, option4), (web6, option6)] {
            let before = try node.reasonCounts()["tlv_not_sent"] ?? 0
            _ = try send(address)
            for answer in try send(address, "80", "connecting", "fastopen") {
                #expect(answer["option"] == option && answer["tlv"] == "", "\(answer)")
                #expect(answer["whole"] == "1", "\(answer)")
            }
            #expect(try node.reasonCounts()["tlv_not_sent"] == before + 2)
            let mptcp = try send(address, "80", "mptcp")[0]
            let flag = option.replacing("4b4d01", with: "4b4d00").replacing("4b4d03", with: "4b4d02")
            #expect(mptcp["option"] == flag && mptcp["tlv"] == "" && mptcp["whole"] == "1", "\(mptcp)")
            #expect(mptcp["peer"] == (address == web4 ? "10.96.8.1:80" : "[fd00:10:96::8:1]:80"), "\(mptcp)")
        }
    }

    private func serversThatSpeakFirstAreTold() throws {
        let greeting = try node.run("waypoint_client.py", in: "client", ["greeted", web4, "25"])
        #expect(greeting == [["option": "fd0b4b4d010a6008010019"]])
    }

    private func labelsDecide() throws {
        // The service's own, its namespace's, and the pods' where their own address is dialed.
        #expect(try send("10.96.8.4")[0]["option"] == "fd0b4b4d010a6008040050")
        for address in [plain, "10.96.8.5"] {
            let answer = try node.probe("client", "tcp", address, "80")[0]
            #expect(answer["pod"] != nil && answer["at"]?.hasSuffix(":8080") == true, "\(answer)")
            let pod = try #require(answer["at"]?.split(separator: ":").first)
            let direct = try send("\(pod)", "8080")[0]
            #expect(direct["option"]?.hasSuffix("1f90") == true, "\(direct)")
            #expect(direct["peer"] == "\(pod):8080", "\(direct)")
        }
        let datagrams = try node.probe("client", "udp", web4, "53")
        #expect(datagrams[0]["pod"]?.hasPrefix("web-") == true, "\(datagrams)")
        // A waypoint without an instance lets nothing around it.
        let before = try node.reasonCounts()
        #expect(try send("10.96.8.3")[0]["error"] == "ECONNREFUSED")
        #expect(try node.reasonCounts()["no_waypoint_endpoint"] == (before["no_waypoint_endpoint"] ?? 0) + 1)
        #expect(before["redirected", default: 0] > 0 && before["waypoint_incomplete"] == 0, "\(before)")
    }

    private func nothingComesBackToAWaypoint() throws {
        let before = try node.reasonCounts()["from_waypoint"] ?? 0
        let answer = try node.probe("waypoint", "tcp", web4, "80")[0]
        #expect(answer["pod"]?.hasPrefix("web-") == true && answer["peer"] == "10.96.8.1:80", "\(answer)")
        let pod = try #require(answer["at"]?.split(separator: ":").first)
        #expect(try node.probe("waypoint", "tcp", "\(pod)", "8080")[0]["pod"] == answer["pod"])
        #expect(try node.reasonCounts()["from_waypoint"] == before + 2)
    }

    /// A server under a flood of SYNs remembers nothing of one.
    private func cookiesLeaveTheTLV() throws {
        func set(_ value: Int) throws {
            let command = "echo \(value) > /proc/sys/net/ipv4/tcp_syncookies"
            #expect(try node.exec("waypoint", ["sh", "-c", command]).status == 0)
        }
        try set(2)
        for (address, tlv) in [(web4, tlv4), (web6, tlv6)] {
            let answer = try send(address, "80", "mega")[0]
            #expect(answer["option"] == "" && answer["tlv"] == tlv && answer["whole"] == "1", "\(answer)")
        }
        try set(1)
    }

    private func aStormArrivesWhole() throws {
        for address in [web4, web6] {
            let result = try node.run("waypoint_client.py", in: "client", ["storm", address, "80", "400"])[0]
            #expect(result["wrong"] == "0", "\(result)")
        }
    }

    private func aRestartKeepsEverything() throws {
        let client = try node.launch("waypoint_client.py", in: "client", ["hold", web4, "7", "4"])
        try node.endDaemon(SIGKILL)
        for _ in 0..<5 { #expect(try send(web4)[0]["option"] == option4) }
        _ = try node.startDaemon()
        #expect(try send(web4)[0]["tlv"] == tlv4)
        #expect(try node.control("verify").status == 0)
        client.waitUntilExit()
        let held = try client.lines()[0]
        #expect(held["asked"] == held["answered"] && held["peer"] == "10.96.8.1:7", "\(held)")
    }

    private func modesChooseWhatIsSent() throws {
        try node.endDaemon(SIGTERM)
        _ = try node.startDaemon("--waypoint-metadata", "option")
        for answer in try send(web4, "80", "one", "mega", "mptcp") {
            #expect(answer["option"] == "fd0b4b4d000a6008010050" && answer["tlv"] == "", "\(answer)")
            #expect(answer["whole"] == "1", "\(answer)")
        }
        try node.endDaemon(SIGTERM)
        _ = try node.startDaemon("--waypoint-metadata", "tlv")
        let answer = try send(web6, "80", "mega")[0]
        #expect(answer["option"] == "" && answer["tlv"] == tlv6 && answer["whole"] == "1", "\(answer)")
        #expect(try send(web4, "80", "mptcp")[0]["error"] == "ECONNREFUSED")
        #expect(try node.reasonCounts()["no_metadata"] == 1)
        try node.endDaemon(SIGTERM)
        _ = try node.startDaemon()
    }

    private func withoutTheWaypointTrafficGoesStraight() throws {
        let before = try node.reasonCounts()["tlv_sent", default: 0]
        let client = try node.launch("waypoint_client.py", in: "client", ["hold", web4, "7", "4"])
        let mesh = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        try node.wait(for: "the held connection") {
            try node.reasonCounts()["tlv_sent", default: 0] > before
        }
        let without = mesh.replacing("gatewayClassName: kmesh-waypoint", with: "gatewayClassName: other")
        #expect(without != mesh)
        try without.write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        try node.wait(for: "the way around the waypoint") {
            try node.probe("client", "tcp", web4, "80")[0]["pod"]?.hasPrefix("web-") == true
        }
        #expect(try node.probe("client", "tcp", "10.96.8.4", "80")[0]["pod"]?.hasPrefix("till-") == true)
        #expect(try node.control("verify").status == 0)
        client.waitUntilExit()
        let held = try client.lines()[0]
        #expect(held["asked"] == held["answered"] && held["peer"] == "10.96.8.1:7", "\(held)")
        try mesh.write(toFile: node.meshFile, atomically: true, encoding: .utf8)
        try node.wait(for: "the waypoint") { try send(web4)[0]["option"] == option4 }
    }
}
