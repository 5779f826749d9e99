import KmeshTestSupport
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
