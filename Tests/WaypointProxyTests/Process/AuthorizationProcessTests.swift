// The program with policies of its mesh file.
import KmeshKit
import KmeshTestSupport
import Testing

@testable import WaypointProxy

/// Two pods, and a policy for `web` that `rules` are of.
private func objects(_ action: String, _ rules: String, isDryRun: Bool = false) -> String {
    """
    apiVersion: v1
    kind: Pod
    metadata: {name: shop, namespace: default}
    spec: {serviceAccountName: shop, containers: []}
    status: {phase: Running, podIP: 10.244.0.1}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: batch, namespace: default}
    spec: {serviceAccountName: batch, containers: []}
    status: {phase: Running, podIP: 10.244.0.2}
    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: db, namespace: default}
    spec:
      hosts: [db.mesh.example]
      addresses: [10.99.0.2]
      resolution: STATIC
      ports: [{number: 90, name: tcp, protocol: TCP}]
      endpoints: [{address: 127.0.0.1, ports: {tcp: 1}}]
    ---
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: rules, namespace: default, annotations: {istio.io/dry-run: "\(isDryRun)"}}
    spec:
      targetRefs:
      - {group: networking.istio.io, kind: ServiceEntry, name: web}
      - {group: networking.istio.io, kind: ServiceEntry, name: db}
      action: \(action)
      rules: \(rules)

    """
}

@Suite(.serialized) struct AuthorizationProcessTests {
    private static let denied = "rbac_access_denied_matched_policy[ns[default]-policy[rules]-rule[0]]"

    private func request(_ path: String, _ lines: String..., method: String = "GET") -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: web.example\r\n\(lines.map { $0 + "\r\n" }.joined())\r\n"
    }

    @Test func policiesOfTheMeshFileAreEnforced() throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/access.log"
        let first = """
            [{to: [{operation: {methods: [POST], paths: ["/admin*"]}}]},
             {from: [{source: {ipBlocks: [127.0.1.1]}}]},
             {when: [{key: "request.headers[X-Role]", values: [guest]}]},
             {to: [{operation: {hosts: [Other.Example]}}]}]
            """
        let waypoint = try RunningWaypoint(
            endpoints: [server.address], flags: ["--access-log", "text", "--access-log-file", path],
            objects: objects("DENY", first))
        try waypoint.waitUntilReady()
        let client = try waypoint.connect()
        let post = request("/x/../admin?a", "Content-Length: 2", method: "POST") + "ab"
        for (text, status) in [
            (request("/admin"), 200), (post, 403), (request("/", "x-role: guest"), 403),
            (request("/", "x-role: owner"), 200), (post + request("/"), 403),
        ] {
            #expect(try client.request(text).status == status, "\(text)")
        }
        #expect(try client.readResponse().status == 200)
        let other = try TestSocket(to: waypoint.place, from: #require(IPAddress("127.0.1.1")))
        #expect(try other.request(request("/")).status == 403)
        #expect(
            try waypoint.metric("kmesh_waypoint_authorization_denied_total{policy=\"default/rules\"}") == 4)
        try waypoint.wait("lines") { try Files.readText(path).split(separator: "\n").count == 7 }
        #expect(try Files.readText(path).contains("\"POST /x/../admin?a HTTP/1.1\" 403 - 2 19 "))
        #expect(try Files.readText(path).contains("\"\(Self.denied)\"\n"))
        let dump = try JSONValue(parsing: waypoint.status("/config_dump").body)
        #expect(dump["policies"]?.array?.map { $0["name"]?.string } == ["default/rules"])

        // Another file: the open connection goes by it.
        for (action, isDryRun, status) in [("ALLOW", false, 403), ("ALLOW", true, 200), ("DENY", false, 200)]
        {
            let version = try #require(try waypoint.metric("kmesh_waypoint_config_version"))
            let rules = "[{to: [{operation: {methods: [PUT]}}]}]"
            try RunningWaypoint.writeMesh(
                [server.address], objects(action, rules, isDryRun: isDryRun), in: waypoint.folder)
            try waypoint.wait("the change") {
                try waypoint.metric("kmesh_waypoint_config_version") ?? 0 > version
            }
            #expect(try client.request(request("/")).status == status)
        }
        #expect(
            try waypoint.metric("kmesh_waypoint_authorization_trial_denied_total{policy=\"default/rules\"}")
                == 1)
        #expect(try waypoint.metric("kmesh_waypoint_authorization_denied_total{policy=\"none\"}") == 1)
    }

    @Test func identitiesOfTheMeshFileDecide() throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let waypoint = try RunningWaypoint(
            endpoints: [server.address], flags: ["--trusted-proxies", "127.0.0.0/8"],
            objects: objects("ALLOW", "[{from: [{source: {serviceAccounts: [shop]}}]}]"))
        try waypoint.waitUntilReady()
        for (source, status) in [("10.244.0.1", 200), ("10.244.0.2", 403), ("10.244.0.3", 403)] {
            let client = try waypoint.connect()
            let line = "PROXY TCP4 \(source) 10.99.0.1 1 80\r\n"
            #expect(try client.request(line + request("/")).status == status, "\(source)")
            #expect(try client.request(request("/")).status == status, "\(source)")
        }
    }

    @Test func streamsOfTheMeshFileAreDecidedOn() throws {
        let address = IPAddress(v4: 0x7f00_0000 | UInt32.random(in: 0x10_0000...0xff_fffe))
        let place = SocketAddress(address, 18081)
        let path = try TemporaryDirectory()
        let log = "\(path.path)/access.log"
        let waypoint = try RunningWaypoint(
            endpoints: [TestServer.refusing()],
            flags: [
                "--listen", "\(place)=db.mesh.example:90", "--access-log", "json", "--access-log-file", log,
            ],
            objects: objects(
                "DENY", "[{from: [{source: {ipBlocks: [127.0.1.1]}}], to: [{operation: {ports: [\"90\"]}}]}]")
        )
        try waypoint.waitUntilReady()
        for source in ["127.0.1.1", "127.0.1.2"] {
            let client = try TestSocket(to: place, from: #require(IPAddress(source)))
            #expect(throws: Errno.connectionReset) { try client.receive() }
        }
        // The other one came as far as the endpoint, which refuses.
        let streams = "kmesh_waypoint_streams_total{destination_service=\"db.mesh.example:90\",reason="
        #expect(try waypoint.metric("\(streams)\"policy_denied\"}") == 1)
        #expect(try waypoint.metric("\(streams)\"connect_failed\"}") == 1)
        try waypoint.wait("lines") { try Files.readText(log).split(separator: "\n").count == 2 }
        #expect(try Files.readText(log).contains(Self.denied))
    }
}
