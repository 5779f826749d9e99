/// Hot upgrade: no request is lost when one process follows another, and none when one of them dies.
import Glibc
import KmeshKit
import KmeshTestSupport
import Synchronization
import Testing

@testable import WaypointProxy

@Suite(.serialized) struct UpgradeTests {
    @Test func noRequestFailsUnderLoad() async throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let folder = try TemporaryDirectory()
        let flags = ["--upgrade-socket", "\(folder.path)/upgrade.sock"]
        let first = try RunningWaypoint(endpoints: [server.address], flags: flags)
        try first.waitUntilReady()
        let load = TestLoad(first.place)
        try load.start(threads: 8)
        try first.wait("load") { load.counts.requests > 200 }
        let second = try RunningWaypoint(endpoints: [server.address], flags: flags, predecessor: first)
        #expect(try first.exitCode() == 0)
        try second.waitUntilReady()
        let before = load.counts.requests
        try second.wait("more load") { load.counts.requests > before + 200 }
        load.stop()
        #expect(load.counts.failures == [])
        #expect(first.log.contains("a successor has taken over"))
        #expect(second.log.contains("took over"))
        // The third takes over from the second: the sockets go on.
        let third = try RunningWaypoint(endpoints: [server.address], flags: flags, predecessor: second)
        #expect(try second.exitCode() == 0)
        try third.waitUntilReady()
        #expect(try third.connect().request(webRequest).status == 200)
        #expect(Files.exists("\(folder.path)/upgrade.sock"))
        try third.signal(SIGTERM)
        #expect(try third.exitCode() == 0)
        #expect(!Files.exists("\(folder.path)/upgrade.sock"))
    }

    /// How far a successor comes before it dies.
    @Test(arguments: [0, 1, 2, 3])
    func aSuccessorThatDiesChangesNothing(step: Int) throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/upgrade.sock"
        let waypoint = try RunningWaypoint(endpoints: [server.address], flags: ["--upgrade-socket", path])
        try waypoint.waitUntilReady()
        do {
            let successor = try HandoverSocket.connect(path, timeout: 10)
            if step > 0 { try successor.send(UpgradeMessage.hello.text) }
            if step > 1 {
                while let message = try successor.receive() {
                    closeDescriptors(message.descriptors)
                    if UpgradeMessage(message.text) == .end { break }
                }
            }
            if step > 2 {
                try successor.send(UpgradeMessage.ready.text)
                let answer = try #require(try successor.receive())
                #expect(UpgradeMessage(answer.text) == .yielded)
                // Nobody accepts now: this connection waits.
                let early = try waypoint.connect()
                try early.send(webRequest)
                #expect(throws: TestTimeout.self) { try early.receive(timeout: .milliseconds(100)) }
            }
        }
        #expect(try waypoint.connect().request(webRequest).status == 200)
        #expect(try waypoint.status("/readyz").status == 200)
        #expect(try waypoint.child.exitCode() == nil)
        try waypoint.signal(SIGTERM)
        #expect(try waypoint.exitCode() == 0)
    }

    @Test func aSuccessorWithABadConfigurationDisturbsNobody() throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/upgrade.sock"
        let waypoint = try RunningWaypoint(endpoints: [server.address], flags: ["--upgrade-socket", path])
        try waypoint.waitUntilReady()
        let outcome = try BuiltProgram.built("kmesh-waypoint").run(
            ["--mesh-file", "/nowhere", "--upgrade-socket", path])
        #expect(outcome.status == 1)
        #expect(try waypoint.connect().request(webRequest).status == 200)
        #expect(try waypoint.child.exitCode() == nil)
    }

    @Test func aDeadProcessIsNoPredecessor() throws {
        let server = try TestServer.saying("hello")
        defer { server.stop() }
        let folder = try TemporaryDirectory()
        let flags = ["--upgrade-socket", "\(folder.path)/upgrade.sock"]
        let first = try RunningWaypoint(endpoints: [server.address], flags: flags)
        try first.waitUntilReady()
        try first.signal(SIGKILL)
        #expect(try first.exitCode() == 128 + SIGKILL)
        #expect(Files.exists("\(folder.path)/upgrade.sock"))
        let second = try RunningWaypoint(endpoints: [server.address], flags: flags, predecessor: first)
        try second.waitUntilReady()
        #expect(try second.connect().request(webRequest).status == 200)
    }

    @Test func theSocketIsTheOwnersAlone() throws {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/upgrade.sock"
        let waypoint = try RunningWaypoint(
            endpoints: [TestServer.refusing()], flags: ["--upgrade-socket", path])
        try waypoint.waitUntilReady()
        try waypoint.wait("the socket") { Files.exists(path) }
        var status = stat()
        #expect(unsafe stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        // Who speaks another language is refused.
        let stranger = try HandoverSocket.connect(path, timeout: 10)
        try stranger.send("hello 99")
        let answer = try #require(try stranger.receive())
        #expect(answer.text.hasPrefix("refused"))
        #expect(answer.descriptors.isEmpty)
    }
}

/// Clients that ask as fast as they can: half of them keep their connections, half make new ones.
final class TestLoad: Sendable {
    struct Counts: Sendable {
        var requests = 0
        var failures: [String] = []
        var running = 0
    }

    private let place: SocketAddress
    private let state = Mutex((counts: Counts(), isStopped: false))

    init(_ place: SocketAddress) { self.place = place }

    var counts: Counts { state.withLock { $0.counts } }
    private var isStopped: Bool { state.withLock { $0.isStopped } }

    func start(threads: Int) throws {
        for number in 0..<threads {
            state.withLock { $0.counts.running += 1 }
            try DedicatedThread.start("test-load") {
                self.ask(keepsConnection: number % 2 == 0)
                self.state.withLock { $0.counts.running -= 1 }
            }
        }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        while counts.running > 0 { pause(.milliseconds(5)) }
    }

    private func ask(keepsConnection: Bool) {
        var socket: TestSocket?
        while !isStopped {
            do {
                let open = try socket ?? TestSocket(to: place)
                let response = try open.request(webRequest)
                let isGood = response.status == 200 && response.text == "hello"
                state.withLock { state in
                    state.counts.requests += 1
                    if !isGood { state.counts.failures.append("\(response.lines)") }
                }
                socket = keepsConnection && response["connection"] != "close" ? open : nil
            } catch {
                state.withLock { $0.counts.failures.append("\(error)") }
                socket = nil
            }
        }
    }
}
