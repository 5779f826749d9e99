/// `kmesh-waypoint` as people run it: proxying, reloads, status, draining.
import Glibc
import KmeshKit
import KmeshTestSupport
import Synchronization
import Testing

@testable import WaypointProxy

@Suite(.serialized) struct WaypointProcessTests {
    @Test func proxiesAndTellsOfIt() throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let waypoint = try RunningWaypoint(endpoints: [server.address])
        try waypoint.waitUntilReady()
        let client = try waypoint.connect()
        for _ in 0..<3 {
            let response = try client.request(webRequest)
            #expect(response.status == 200)
            #expect(response.text == "hello")
        }
        #expect(try client.request("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n").status == 404)
        let labels = "route=\"default/web:80\",destination_service=\"web.example:80\""
        #expect(
            try waypoint.metric(
                "kmesh_waypoint_requests_total{\(labels),response_code=\"200\",reason=\"completed\"}") == 3)
        #expect(
            try waypoint.metric("kmesh_waypoint_request_duration_seconds_bucket{\(labels),le=\"+Inf\"}") == 3)
        #expect(try waypoint.metric("kmesh_waypoint_connections_total") == 1)
        let dump = try JSONValue(parsing: waypoint.status("/config_dump").body)
        #expect(dump["version"]?.integer() == 1)
        let endpoint = dump["clusters"]?.array?.first?["endpoints"]?.array?.first?["address"]?.string
        #expect(endpoint == server.address.description)
        #expect(dump["routes"]?.array?.count == 1)
        try waypoint.signal(SIGTERM)
        #expect(try waypoint.exitCode() == 0)
    }

    @Test func whatIsExposedIsWellFormed() throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let waypoint = try RunningWaypoint(endpoints: [server.address])
        try waypoint.waitUntilReady()
        _ = try waypoint.connect().request(webRequest)
        var family = "", families: Set<String> = [], samples: Set<String> = []
        for line in try waypoint.status("/metrics").text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if words[0] == "#" {
                if words[1] == "HELP" { #expect(families.insert(words[2]).inserted, "\(line)") }
                if words[1] == "TYPE" {
                    #expect(words[3] == "counter" ? words[2].hasSuffix("_total") : true, "\(line)")
                    family = words[2]
                }
                continue
            }
            #expect(line.hasPrefix(family), "\(line)")
            let name = String(line.prefix(upTo: line.lastIndex(of: " ") ?? line.endIndex))
            #expect(samples.insert(name).inserted, "twice: \(name)")
            #expect(line.split(separator: " ").last.flatMap { Double($0) } != nil, "\(line)")
        }
        #expect(families.isSuperset(of: ["process_open_fds", "kmesh_waypoint_build_info"]))
        #expect(!families.contains("kmesh_waypoint_other_total"), "a counter without a name")
    }

    @Test func reloadsTakeEffectAndBadOnesDoNot() throws {
        let servers = try ["one", "two"].map { try TestServer.saying($0) }
        defer { for server in servers { server.stop() } }
        let waypoint = try RunningWaypoint(endpoints: [servers[0].address])
        try waypoint.waitUntilReady()
        let client = try waypoint.connect()
        #expect(try client.request(webRequest).text == "one")
        try RunningWaypoint.writeMesh([servers[1].address], in: waypoint.folder)
        try waypoint.wait("the reload") { try client.request(webRequest).text == "two" }

        let bad = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {portz: []}\n"
        try Files.replace("\(waypoint.folder.path)/mesh.yaml", with: Array(bad.utf8))
        try waypoint.wait("the refusal") {
            try waypoint.metric("kmesh_waypoint_config_last_reload_successful") == 0
        }
        #expect(try client.request(webRequest).text == "two")
        #expect(try waypoint.metric("kmesh_waypoint_config_failures_total") == 1)
        let dump = try JSONValue(parsing: waypoint.status("/config_dump").body)
        #expect(dump["lastReloadError"]?.string?.contains("portz") == true)
        #expect(waypoint.log.contains("portz"))

        try RunningWaypoint.writeMesh([servers[0].address], in: waypoint.folder)
        try waypoint.wait("the repair") { try client.request(webRequest).text == "one" }
        #expect(try waypoint.metric("kmesh_waypoint_config_last_reload_successful") == 1)
    }

    @Test func aSignalDrains() throws {
        // Answers when it is told to.
        let gate = TestGate()
        let server = try TestServer.http { _ in
            gate.wait()
            return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        }
        defer { server.stop() }
        let waypoint = try RunningWaypoint(endpoints: [server.address])
        try waypoint.waitUntilReady()
        let client = try waypoint.connect()
        try client.send(webRequest)
        try waypoint.wait("the request") { server.connections == 1 }
        try waypoint.signal(SIGTERM)
        try waypoint.wait("the drain") { try waypoint.status("/readyz").status == 503 }
        #expect(try waypoint.status("/healthz").status == 200)
        #expect(try waypoint.child.exitCode() == nil)
        // Who comes now is refused at once, instead of waiting for nobody.
        try waypoint.wait("the refusal") { (try? waypoint.connect().request(webRequest)) == nil }
        gate.open()
        let response = try #require(try client.readMessage(isResponse: true))
        #expect(response.status == 200)
        #expect(response["connection"] == "close")
        #expect(try waypoint.exitCode() == 0)
    }

    @Test func aRequestDrainsToo() throws {
        let waypoint = try RunningWaypoint(endpoints: [TestServer.refusing()])
        try waypoint.waitUntilReady()
        #expect(try waypoint.status("/drain").status == 405)
        #expect(try waypoint.status("/drain", method: "POST").status == 200)
        #expect(try waypoint.exitCode() == 0)
    }

    @Test func theDeadlineOfADrainIsKept() throws {
        let server = try TestServer { socket in
            _ = try socket.readMessage()
            pause(.seconds(20))
        }
        defer { server.stop() }
        let waypoint = try RunningWaypoint(endpoints: [server.address], flags: ["--drain-timeout", "300ms"])
        try waypoint.waitUntilReady()
        let client = try waypoint.connect()
        try client.send(webRequest)
        try waypoint.wait("the request") { server.connections == 1 }
        let start = ContinuousClock.now
        try waypoint.signal(SIGTERM)
        #expect(try waypoint.exitCode() == 0)
        // The standard deadline is 30 s, and the server takes 20.
        #expect(ContinuousClock.now - start < .seconds(15))
        #expect(waypoint.log.contains("the deadline is over"))
    }

    @Test func theSecondSignalEndsAtOnce() throws {
        let server = try TestServer { socket in
            _ = try socket.readMessage()
            pause(.seconds(20))
        }
        defer { server.stop() }
        let waypoint = try RunningWaypoint(endpoints: [server.address])
        try waypoint.waitUntilReady()
        let client = try waypoint.connect()
        try client.send(webRequest)
        try waypoint.wait("the request") { server.connections == 1 }
        try waypoint.signal(SIGINT)
        try waypoint.wait("the drain") { try waypoint.status("/readyz").status == 503 }
        try waypoint.signal(SIGINT)
        #expect(try waypoint.exitCode() == 0)
    }

    @Test func logLevelsChangeAtRunTime() throws {
        let waypoint = try RunningWaypoint(endpoints: [TestServer.refusing()])
        try waypoint.waitUntilReady()
        #expect(try waypoint.status("/logging").text == "*: info\n")
        #expect(try waypoint.status("/logging?level=debug&logger=config", method: "POST").status == 200)
        #expect(try waypoint.status("/logging").text == "*: info\nconfig: debug\n")
        #expect(try waypoint.status("/logging?level=loud", method: "POST").status == 400)
        #expect(try waypoint.status("/logging?level=warning", method: "POST").status == 200)
        #expect(try waypoint.status("/logging").text == "*: warning\n")
    }

    @Test func theAccessLogFollowsItsFile() throws {
        let server = try TestServer.http { request in
            let id = request["x-request-id"] ?? ""
            return "HTTP/1.1 200 OK\r\nContent-Length: \(id.utf8.count)\r\n\r\n\(id)"
        }
        defer { server.stop() }
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/access.log"
        let waypoint = try RunningWaypoint(
            endpoints: [server.address], flags: ["--access-log", "json", "--access-log-file", path])
        try waypoint.waitUntilReady()
        let client = try waypoint.connect()
        let request = "GET /a?b HTTP/1.1\r\nHost: web.example\r\nUser-Agent: test\r\n\r\n"
        let answer = try client.request(request)
        #expect(answer.status == 200)
        func lines(_ path: String) throws -> [Substring] { try Files.readText(path).split(separator: "\n") }
        try waypoint.wait("a line") { try lines(path).count == 1 }
        let line = try JSONValue(parsing: String(try lines(path)[0]))
        #expect(line["method"]?.string == "GET")
        #expect(line["path"]?.string == "/a?b")
        #expect(line["authority"]?.string == "web.example")
        #expect(line["user_agent"]?.string == "test")
        #expect(line["response_code"]?.integer() == 200)
        #expect(line["bytes_sent"]?.integer() == 36)
        // The id that the waypoint made is the one that the server got.
        #expect(line["request_id"]?.string == answer.text)
        #expect(line["upstream_host"]?.string == server.address.description)
        try Files.move(path, to: path + ".1")
        try waypoint.signal(SIGUSR1)
        try waypoint.wait("the new file") { Files.exists(path) }
        #expect(try client.request(request).status == 200)
        try waypoint.wait("a line") { try lines(path).count == 1 }
        #expect(try lines(path + ".1").count == 1)
    }

    @Test func theStatusServerIsBounded() throws {
        let waypoint = try RunningWaypoint(endpoints: [TestServer.refusing()])
        try waypoint.waitUntilReady()
        let place = SocketAddress(waypoint.address, RunningWaypoint.statusPort)
        let garbage = try TestSocket(to: place)
        try garbage.send("GET / HTTP/1.1\r\nBad Header: x\r\n\r\n")
        #expect(try garbage.readMessage(isResponse: true)?.status == 400)
        let long = try TestSocket(to: place)
        try long.send("GET /\(String(repeating: "a", count: 5000)) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try long.readMessage(isResponse: true)?.status == 414)
        // The oldest of the silent make room for who asks.
        let silent = try (0..<100).map { _ in try TestSocket(to: place) }
        defer { for socket in silent { socket.close() } }
        let start = ContinuousClock.now
        #expect(try waypoint.status("/healthz").status == 200)
        // The silent ones have 5 s.
        #expect(ContinuousClock.now - start < .seconds(4))
        #expect(try waypoint.status("/nothing").status == 404)
        #expect(try waypoint.status("/metrics", method: "DELETE").status == 405)
    }
}

/// Holds threads back until it is opened.
final class TestGate: Sendable {
    private let isOpen = Atomic(false)

    func open() { isOpen.store(true, ordering: .relaxed) }

    func wait() {
        let end = ContinuousClock.now + .seconds(20)
        while !isOpen.load(ordering: .relaxed), ContinuousClock.now < end { pause(.milliseconds(5)) }
    }
}
