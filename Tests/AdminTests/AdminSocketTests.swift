import Foundation
import KmeshTestSupport
import Testing

@testable import KmeshKit

@Suite struct AdminSocketTests {
    @Test func theSocketOfADeadDaemonIsReplaced() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/kmesh.sock"
        // Closed without being removed, as by SIGKILL.
        _ = try UnixSocket.listen(path, backlog: 1)
        #expect(Files.exists(path))
        let server = try AdminServer(path: path)
        #expect(server.path == path)
        withExtendedLifetime((directory, server)) {}
    }

    @Test func theSocketOfALivingDaemonIsLeftAlone() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/kmesh.sock"
        let first = try AdminServer(path: path)
        let error = #expect(throws: AdminError.self) { try AdminServer(path: path) }
        #expect(error == .alreadyServed(path: path))
        #expect(error?.description.contains(path) == true)
        #expect(Files.exists(path))
        withExtendedLifetime((directory, first)) {}
    }

    @Test func aServerThatNeverRanRemovesItsSocket() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/kmesh.sock"
        var server: AdminServer? = try AdminServer(path: path)
        #expect(server != nil && Files.exists(path))
        server = nil
        #expect(!Files.exists(path))
        withExtendedLifetime(directory) {}
    }

    @Test func otherFilesAreNeverReplaced() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/precious"
        try Files.replace(path, with: [1])
        let error = #expect(throws: AdminError.self) { try AdminServer(path: path) }
        #expect(error == .notASocket(path: path))
        #expect(try Files.read(path) == [1])
        withExtendedLifetime(directory) {}
    }

    @Test func pathsThatAreTooLongAreNamed() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/" + String(repeating: "x", count: 120)
        let error = #expect(throws: AdminError.self) { try AdminServer(path: path) }
        #expect(error?.description.contains(path) == true)
        withExtendedLifetime(directory) {}
    }

    @Test func clientsSayWhatIsMissing() async throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/kmesh.sock"
        let missing = await #expect(throws: AdminError.self) {
            try await offPool { () throws(AdminError) in try AdminClient(path: path).ask(.version).response }
        }
        #expect(missing == .notRunning(path: path))
        _ = try UnixSocket.listen(path, backlog: 1)
        let dead = await #expect(throws: AdminError.self) {
            try await offPool { () throws(AdminError) in try AdminClient(path: path).ask(.version).response }
        }
        #expect(dead == .notRunning(path: path))
        #expect(AdminError.notPermitted(path: "/s", group: "kmesh").description.contains("group kmesh"))
        withExtendedLifetime(directory) {}
    }

    @Test func clientsDoNotWaitForever() async throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/kmesh.sock"
        // Nobody runs it: connections queue up and nothing is ever answered.
        let server = try AdminServer(path: path)
        let error = await #expect(throws: AdminError.self) {
            try await offPool { () throws(AdminError) in
                try AdminClient(path: path, timeout: 1).ask(.version).response
            }
        }
        #expect(error == .timedOut(path: path))
        withExtendedLifetime((directory, server)) {}
    }
}
