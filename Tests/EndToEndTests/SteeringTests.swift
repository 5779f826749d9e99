/// What programs in pods see when they dial services, on the real kernel.
import Glibc
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class SteeringTests {
    let node: SandboxNode

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "steer", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    // One node serves all cases: making it takes longer than asking it.
    @Test func programsReachWhatTheyDial() throws {
        try tcpReachesEveryEndpoint()
        try datagramsComeFromWhatWasDialed()
        try datagramsOfAnEndpointDialedItselfComeFromIt()
        try refusals()
        try policies()
        try untouchedTraffic()
        try aSocketConnectedAgainForgetsItsService()
        let verified = try node.control("verify")
        #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
    }

    private func tcpReachesEveryEndpoint() throws {
        for (address, peer) in [
            ("10.96.7.1", "10.96.7.1:80"), ("fd00:10:96::7:1", "[fd00:10:96::7:1]:80"),
            ("::ffff:10.96.7.1", "[::ffff:10.96.7.1]:80"),
        ] {
            let answers = try node.probe("client", "tcp", address, "80", "40")
            #expect(answers.count == 40)
            #expect(answers.allSatisfy { $0["peer"] == peer }, "\(address): \(answers.first ?? [:])")
            #expect(Set(answers.compactMap { $0["pod"] }).count == 3, "\(address): \(answers.first ?? [:])")
            #expect(answers.allSatisfy { $0["at"]?.hasSuffix(":8080") == true })
        }
        let other = try node.probe("client", "tcp", "10.96.7.1", "81")
        #expect(other[0]["at"]?.hasSuffix(":8081") == true, "\(other)")
    }

    private func datagramsComeFromWhatWasDialed() throws {
        for (address, shown) in [
            ("10.96.7.6", "10.96.7.6:53"), ("fd00:10:96::7:6", "[fd00:10:96::7:6]:53"),
            ("::ffff:10.96.7.6", "[::ffff:10.96.7.6]:53"),
        ] {
            let connected = try node.probe("client", "udp", address, "53", "20")
            #expect(connected.allSatisfy { $0["peer"] == shown && $0["sender"] == shown }, "\(connected)")
            #expect(Set(connected.compactMap { $0["pod"] }).count > 1, "\(address): \(connected)")
            // Without connect: one socket stays with one endpoint.
            let loose = try node.probe("client", "sendto", address, "53", "10")
            #expect(loose.allSatisfy { $0["sender"] == shown }, "\(address): \(loose)")
            #expect(Set(loose.compactMap { $0["pod"] }).count == 1, "\(address): \(loose)")
        }
    }

    private func datagramsOfAnEndpointDialedItselfComeFromIt() throws {
        for (address, shown) in [("10.96.7.6", "10.96.7.6:53"), ("fd00:10:96::7:6", "[fd00:10:96::7:6]:53")] {
            let answers = try node.probe("client", "direct", address, "53")
            #expect(answers.count == 2)
            #expect(answers.allSatisfy { $0["sender"] == shown }, "\(answers)")
            #expect(answers.allSatisfy { $0["endpoint"] == $0["at"] }, "\(answers)")
        }
    }

    private func refusals() throws {
        for (how, address, port) in [
            ("tcp", "10.96.7.5", "80"), ("tcp", "fd00:10:96::7:5", "80"), ("tcp", "10.96.7.1", "82"),
            ("udp", "10.96.7.5", "53"), ("sendto", "10.96.7.5", "53"), ("sendto", "fd00:10:96::7:5", "53"),
            ("sendto", "::ffff:10.96.7.5", "53"), ("tcp", "10.96.7.7", "80"), ("tcp", "10.96.7.9", "80"),
            ("udp", "10.96.7.1", "82"), ("sendto", "10.96.7.1", "82"),
        ] {
            let answers = try node.probe("client", how, address, port)
            #expect(answers == [["error": "ECONNREFUSED"]], "\(how) \(address):\(port)")
        }
        // What a resolver does to sort addresses is left to the routes, which here have none to services.
        for address in ["10.96.7.1", "fd00:10:96::7:1", "::ffff:10.96.7.1"] {
            for port in ["0", "9", "80", "65535"] {
                let answers = try node.probe("client", "udp", address, port)
                #expect(answers[0]["error"] != nil && answers[0]["error"] != "ECONNREFUSED", "\(answers)")
            }
        }
        let reasons = try counts()
        #expect(reasons["undeclared_port_passed", default: 0] >= 3, "\(reasons)")
        #expect(reasons["no_endpoint", default: 0] >= 5, "\(reasons)")
        #expect(reasons["undeclared_port", default: 0] >= 1, "\(reasons)")
        #expect(reasons["no_local_endpoint", default: 0] >= 2, "\(reasons)")
        #expect(reasons["incomplete"] == 0, "\(reasons)")
    }

    private func policies() throws {
        for (address, pods) in [
            ("10.96.7.2", 1), ("10.96.7.3", 1), ("10.96.7.4", 3), ("10.96.7.8", 1), ("10.96.7.10", 1),
        ] {
            let answers = try node.probe("client", "tcp", address, "80", "40")
            #expect(Set(answers.compactMap { $0["pod"] }).count == pods, "\(address): \(answers)")
            #expect(answers.allSatisfy { $0["peer"] == "\(address):80" }, "\(address): \(answers)")
        }
        let nearest = try node.probe("client", "tcp", "10.96.7.8", "80")
        #expect(nearest[0]["pod"]?.hasPrefix("near-") == true, "\(nearest)")
        #expect(try counts()["steered_by_affinity", default: 0] >= 39)
    }

    private func untouchedTraffic() throws {
        // A pod's own address is no service: dialed directly it is what it is.
        let direct = try node.probe("client", "tcp", "10.96.7.1", "80")
        let address = try #require(direct[0]["at"]?.split(separator: ":").first)
        let answers = try node.probe("client", "tcp", "\(address)", "8080")
        #expect(answers[0]["peer"] == "\(address):8080", "\(answers)")
        // Nobody steers a pod that is not enrolled: the service address leads nowhere.
        let outside = try node.probe("outsider", "tcp", "10.96.7.1", "80")
        #expect(outside[0]["error"] != nil && outside[0]["error"] != "ECONNREFUSED", "\(outside)")
        #expect(try node.probe("outsider", "tcp", "\(address)", "8080")[0]["pod"] != nil)
        // Neither is a pod in the host's network.
        let host = try node.probe("hosted", "tcp", "10.96.7.1", "80")
        #expect(host[0]["error"] != nil && host[0]["error"] != "ECONNREFUSED", "\(host)")
        #expect(try node.probe("hosted", "tcp", "\(address)", "8080")[0]["pod"] != nil)
    }

    private func aSocketConnectedAgainForgetsItsService() throws {
        let direct = try node.probe("client", "udp", "10.96.7.6", "53")
        let address = try #require(direct[0]["at"]?.split(separator: ":").first)
        let peers = try node.probe("client", "again", "10.96.7.6", "53", "\(address)", "5353")
        #expect(peers.map { $0["peer"] } == ["10.96.7.6:53", "\(address):5353"])
    }

    private func counts() throws -> [String: Int] {
        try node.reasonCounts()
    }
}
