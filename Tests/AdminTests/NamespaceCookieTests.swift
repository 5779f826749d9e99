import Foundation
import Testing

@testable import KmeshKit

@Suite struct NamespaceCookieTests {
    @Test func ownNamespaceHasOneIdentity() async throws {
        let own = try NetworkNamespaceIdentity.own()
        #expect(own.cookie != 0)
        #expect(try await NetworkNamespaceIdentity.read("/proc/self/ns/net").identity == own)
    }

    @Test func eachNamespaceHasItsOwn() async throws {
        guard let first = try await FreshNamespace.make(), let second = try await FreshNamespace.make() else {
            return
        }
        let own = try NetworkNamespaceIdentity.own()
        let one = try await NetworkNamespaceIdentity.read(first.path).identity
        let two = try await NetworkNamespaceIdentity.read(second.path).identity
        #expect(Set([own.cookie, one.cookie, two.cookie]).count == 3)
        #expect(Set([own.inode, one.inode, two.inode]).count == 3)
        #expect(try await NetworkNamespaceIdentity.read(first.path).identity == one)
        // The thread that looked is gone, and nobody else has moved.
        #expect(try NetworkNamespaceIdentity.own() == own)
    }

    @Test func addressesAreThoseOfTheInterface() async throws {
        guard
            let namespace = try await FreshNamespace.make(
                """
                ip link set lo up; ip link add eth0 type veth peer name peer0; ip link set eth0 up
                ip addr add 10.9.8.7/24 dev eth0; ip -6 addr add 2001:db8::7/64 dev eth0 nodad
                """)
        else { return }
        let reading = try await NetworkNamespaceIdentity.read(namespace.path, addressesOf: "eth0")
        #expect(reading.addresses.map(\.description) == ["10.9.8.7", "2001:db8::7"])
        #expect(try await NetworkNamespaceIdentity.read(namespace.path, addressesOf: "lo").addresses.isEmpty)
        #expect(
            try await NetworkNamespaceIdentity.read(namespace.path, addressesOf: "eth9").addresses.isEmpty)
    }

    @Test(arguments: ["/proc/self/ns/mnt", "/etc/passwd", "/dev/null", "/tmp"])
    func otherFilesAreRefused(path: String) async throws {
        let error = await #expect(throws: Errno.self) { try await NetworkNamespaceIdentity.read(path) }
        #expect(error == .invalid)
    }

    @Test func missingPathsAreNamedSo() async throws {
        let error = await #expect(throws: Errno.self) {
            try await NetworkNamespaceIdentity.read("/run/netns/absent")
        }
        #expect(error == .noEntry)
    }
}

/// A network namespace that lives as long as a process which this test starts and ends.
final class FreshNamespace {
    private let process: Process
    var path: String { "/proc/\(process.processIdentifier)/ns/net" }

    /// `nil`, with the reason printed, where namespaces cannot be made. `setup` is run by a shell inside.
    static func make(_ setup: String = "true") async throws -> FreshNamespace? {
        guard getuid() == 0 else {
            print("skipped: making a network namespace needs root")
            return nil
        }
        if setup.contains("ip "), !Files.exists("/usr/sbin/ip"), !Files.exists("/sbin/ip") {
            print("skipped: the program ip (package iproute2) is missing")
            return nil
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = ["--net", "sh", "-c", "set -e; \(setup); echo ready; exec cat"]
        // It ends with its input, also when this process is killed. A signal other than SIGKILL might not
        // reach it: it inherits the mask of the pool's thread, which blocks most.
        process.standardInput = Pipe()
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let namespace = FreshNamespace(process)
        let line = try await offPool { () throws(Errno) in output.fileHandleForReading.availableData }
        guard String(decoding: line, as: UTF8.self).hasPrefix("ready") else {
            Issue.record("the namespace could not be set up")
            return nil
        }
        return namespace
    }

    private init(_ process: Process) {
        self.process = process
    }

    // Without waiting: the process object reaps its child, and waiting would block one of the pool's threads.
    deinit {
        kill(process.processIdentifier, SIGKILL)
    }
}
