import Foundation
import KmeshTestSupport
import Testing

@testable import KmeshKit

/// Each test has a server of its own, at a path of its own.
@Suite(.serialized) struct AdminServerTests {
    /// Runs `body` while a server with `handler` serves, and ends the server afterwards.
    private func withServer(
        _ limits: AdminServer.Limits = AdminServer.Limits(),
        _ handler: @escaping AdminServer.Handler = { _ in .version(VersionReport(mode: "test")) },
        _ body: @Sendable (AdminServer) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let server = try AdminServer(path: "\(directory.path)/sub/kmesh.sock", limits: limits)
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run(handler) }
            do {
                try await body(server)
            } catch {
                Issue.record("\(error)")
            }
            server.stop()
            try await group.waitForAll()
        }
        #expect(!Files.exists(server.path), "the socket's file stays behind")
        withExtendedLifetime(directory) {}
    }

    private func ask(_ server: AdminServer, _ request: AdminRequest = .version) async throws -> AdminResponse
    {
        let client = AdminClient(path: server.path, timeout: 10)
        return try await offPool { () throws(AdminError) in try client.ask(request).response }
    }

    private func connect(_ server: AdminServer) throws -> RawClient { try RawClient(server.path) }

    /// Waits at most 5 s until `condition` holds.
    private func eventually(_ condition: () -> Bool) async -> Bool {
        for _ in 0..<500 {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return condition()
    }

    @Test func answersOneRequestForEachConnection() async throws {
        try await withServer { server async throws in
            for _ in 0..<20 { #expect(try await ask(server) == .version(VersionReport(mode: "test"))) }
            #expect(server.counters.accepted == 20)
        }
    }

    @Test func theSocketIsForItsGroup() async throws {
        try await withServer { server async throws in
            let attributes = try FileManager.default.attributesOfItem(atPath: server.path)
            #expect(attributes[.posixPermissions] as? Int == 0o660)
        }
    }

    @Test func answersManyAtOnce() async throws {
        let handler: AdminServer.Handler = { _ in
            try? await Task.sleep(for: .milliseconds(20))
            return .version(VersionReport(mode: "test"))
        }
        try await withServer(AdminServer.Limits(), handler) { server async throws in
            try await withThrowingTaskGroup(of: AdminResponse.self) { group in
                for _ in 0..<40 { group.addTask { try await ask(server) } }
                for try await response in group { #expect(response == .version(VersionReport(mode: "test"))) }
            }
        }
    }

    @Test func sendsLargeAnswers() async throws {
        let endpoints = (0..<3_000).map { number in
            EndpointSnapshot(
                id: UInt32(number), address: IPAddress(v4: 0x0a00_0000 + UInt32(number)), port: 8080, tier: 0,
                slot: UInt32(number))
        }
        let service = ServiceSnapshot(
            id: 1, service: "default/large", port: 80, transport: .tcp, family: .v4, policy: .random, tier: 0,
            endpoints: endpoints)
        let snapshot = EngineSnapshot(mode: .dualEngine, services: [service])
        let sections: Set<DumpSection> = [.services, .endpoints]
        let handler: AdminServer.Handler = { _ in .dump(snapshot, sections) }
        try await withServer(AdminServer.Limits(), handler) { server async throws in
            #expect(try await ask(server, .dump(sections)) == .dump(snapshot, sections))
        }
    }

    @Test func slowAndSilentClientsDelayNobodyAndAreEnded() async throws {
        var limits = AdminServer.Limits()
        limits.request = .seconds(2)
        try await withServer(limits) { server async throws in
            let silent = try connect(server)
            let slow = try connect(server)
            try slow.send([0, 0])
            let halfOpen = try connect(server)
            try halfOpen.send([0, 0, 0, 9, 1])
            halfOpen.closeSending()
            #expect(try await ask(server) == .version(VersionReport(mode: "test")))
            #expect(server.counters.timedOut == 0, "an honest client waited for others")
            #expect(await eventually { server.counters.timedOut == 2 && server.counters.malformed == 1 })
            for client in [silent, slow, halfOpen] { #expect(try await client.receiveToEnd().isEmpty) }
        }
    }

    @Test func aClientThatDoesNotReadItsAnswerIsEnded() async throws {
        var limits = AdminServer.Limits()
        limits.answer = .milliseconds(300)
        let long = String(repeating: "x", count: 500_000)
        let handler: AdminServer.Handler = { _ in .error(.failed, long) }
        try await withServer(limits, handler) { server async throws in
            let client = try connect(server)
            try client.send(AdminFrame.encode(AdminRequest.version.json.serialized()))
            #expect(await eventually { server.counters.timedOut == 1 })
            #expect(try await client.receiveToEnd().count < long.utf8.count)
        }
    }

    @Test func aClientThatLeavesIsForgotten() async throws {
        let handler: AdminServer.Handler = { _ in
            try? await Task.sleep(for: .milliseconds(50))
            return .error(.failed, String(repeating: "x", count: 5_000))
        }
        try await withServer(AdminServer.Limits(), handler) { server async throws in
            for _ in 0..<8 {
                let client = try connect(server)
                try client.send(AdminFrame.encode(AdminRequest.version.json.serialized()))
            }
            guard case .error = try await ask(server) else {
                Issue.record("no answer")
                return
            }
        }
    }

    @Test func garbageIsAnsweredWithAReason() async throws {
        try await withServer { server async throws in
            var generator = SplitMix64(seed: testSeed)
            let bodies = [[], Array("nonsense".utf8), Array("{\"request\":\"reboot\"}".utf8)]
            for body in bodies {
                let client = try connect(server)
                try client.send(AdminFrame.encode(body))
                #expect(try await client.failure()?.code == .badRequest)
            }
            let large = try connect(server)
            try large.send([0x7f, 0xff, 0xff, 0xff] + [UInt8](repeating: 0, count: 1000))
            #expect(try await large.failure()?.message.contains("limit of 1048576") == true)
            for _ in 0..<300 {
                let client = try connect(server)
                let count = Int.random(in: 0..<200, using: &generator)
                try client.send((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
            }
            #expect(try await ask(server) == .version(VersionReport(mode: "test")), "seed \(testSeed)")
            #expect(server.counters.malformed >= 4)
        }
    }

    @Test func tooManySilentClientsMakeRoom() async throws {
        var limits = AdminServer.Limits()
        limits.connections = 8
        try await withServer(limits) { server async throws in
            let clients = try (0..<30).map { _ in try connect(server) }
            #expect(try await ask(server) == .version(VersionReport(mode: "test")))
            #expect(server.counters.crowdedOut >= 22)
            #expect(try await clients[0].receiveToEnd().isEmpty)
        }
    }

    @Test func tooManyRequestsAreAnsweredWithBusy() async throws {
        var limits = AdminServer.Limits()
        limits.connections = 4
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let handler: AdminServer.Handler = { _ in
            for await _ in gate { break }
            return .version(VersionReport(mode: "test"))
        }
        try await withServer(limits, handler) { server async throws in
            let clients = try (0..<4).map { _ in try connect(server) }
            for client in clients {
                try client.send(AdminFrame.encode(AdminRequest.version.json.serialized()))
            }
            try await Task.sleep(for: .milliseconds(100))
            guard case .error(let failure) = try await ask(server) else {
                Issue.record("not refused")
                return
            }
            #expect(failure.code == .busy)
            opener.finish()
            for client in clients {
                #expect(try await client.response() == .version(VersionReport(mode: "test")))
            }
        }
    }

    @Test func aHandlerThatNeverEndsIsGivenUp() async throws {
        var limits = AdminServer.Limits()
        limits.answer = .milliseconds(200)
        let handler: AdminServer.Handler = { _ in
            try? await Task.sleep(for: .seconds(3600))
            return .error(.failed, "late")
        }
        try await withServer(limits, handler) { server async throws in
            let error = await #expect(throws: AdminError.self) { try await ask(server) }
            #expect(error == .connectionLost(path: server.path))
        }
    }

    @Test func answersUnderWayAreSentBeforeTheEnd() async throws {
        let handler: AdminServer.Handler = { _ in
            await Task.detached { try? await Task.sleep(for: .milliseconds(200)) }.value
            return .version(VersionReport(mode: "test"))
        }
        var limits = AdminServer.Limits()
        limits.drain = .seconds(10)
        try await withServer(limits, handler) { server async throws in
            let client = try connect(server)
            try client.send(AdminFrame.encode(AdminRequest.version.json.serialized()))
            try await Task.sleep(for: .milliseconds(50))
            server.stop()
            #expect(try await client.response() == .version(VersionReport(mode: "test")))
        }
    }

    @Test func onlyRootAndTheGroupAreServed() {
        let root = PeerCredentials(userID: 0, groupIDs: [5], processID: 1)
        let member = PeerCredentials(userID: 1000, groupIDs: [1000, 7], processID: 1)
        #expect(AdminAccess.permits(root, socketGroup: 7))
        #expect(AdminAccess.permits(root, socketGroup: nil))
        #expect(AdminAccess.permits(member, socketGroup: 7))
        #expect(!AdminAccess.permits(member, socketGroup: 0))
        #expect(!AdminAccess.permits(member, socketGroup: nil))
    }
}

/// A client that sends what it likes.
final class RawClient: Sendable {
    private let socket: FileDescriptor

    init(_ path: String) throws {
        socket = try UnixSocket.connect(path, timeout: 10)
    }

    /// The server may have ended the connection already.
    func send(_ bytes: [UInt8]) throws(Errno) {
        do throws(Errno) {
            var sent = 0
            while sent < bytes.count { sent += try UnixSocket.send(bytes, from: sent, to: socket) }
        } catch {
            guard [.brokenPipe, .connectionReset].contains(error) else { throw error }
        }
    }

    func closeSending() { _ = shutdown(socket.number, Int32(SHUT_WR)) }

    func receiveToEnd() async throws -> [UInt8] { try await offPool(readToEnd) }

    @Sendable private func readToEnd() throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let piece: [UInt8]
            do throws(Errno) {
                piece = try socket.read(upTo: 65536)
            } catch let error where error == .connectionReset {
                return bytes
            }
            if piece.isEmpty { return bytes }
            bytes += piece
        }
    }

    func response() async throws -> AdminResponse? {
        let bytes = try await receiveToEnd()
        guard bytes.count > 4 else { return nil }
        return try AdminResponse(json: JSONValue(parsing: Array(bytes[4...])))
    }

    func failure() async throws -> AdminFailure? {
        guard case .error(let failure) = try await response() else { return nil }
        return failure
    }
}
