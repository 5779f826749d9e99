import Glibc
import Testing

@testable import KmeshKit

@Suite(.enabled(if: Privileges.isRoot, "needs root: makes network namespaces"))
struct NetworkNamespaceTests {
    /// Runs with two new namespaces, which are gone afterwards.
    private func withNamespaces(_ work: (String, String) throws -> Void) throws {
        let directory = "/run/kmesh-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try Files.makeDirectories(directory)
        let paths = ["\(directory)/a", "\(directory)/b"]
        defer {
            #expect(throws: Never.self) {
                for path in paths { try NetworkNamespace.remove(at: path) }
                try Files.removeDirectory(directory)
            }
        }
        for path in paths { try NetworkNamespace.create(at: path) }
        try work(paths[0], paths[1])
    }

    @Test func isMadeEnteredAndRemoved() async throws {
        let before = try NetworkNamespaceIdentity.own()
        try withNamespaces { path, other in
            #expect(try Mounts.all().contains { $0.path == path && $0.kind == "nsfs" })
            var netlink = try Netlink(in: try NetworkNamespace(path: path))
            #expect(try netlink.links().map(\.name) == ["lo"])
            // A second one of the same name is refused, and leaves the first.
            #expect(throws: Errno.exists) { try NetworkNamespace.create(at: path) }
            #expect(try Mounts.all().contains { $0.path == path })
            try NetworkNamespace.remove(at: path)
            try NetworkNamespace.remove(at: path)
            #expect(try !Mounts.all().contains { $0.path == path })
        }
        #expect(try NetworkNamespaceIdentity.own() == before)
    }

    @Test func linksAddressesAndRoutes() throws {
        let machine = try hostLinks()
        try withNamespaces { path, other in
            let namespace = try NetworkNamespace(path: path)
            let peer = try NetworkNamespace(path: other)
            var here = try Netlink(in: namespace)
            var there = try Netlink(in: peer)
            try here.addBridge("br0")
            try here.addVethPair("port0", peer: "eth0", in: peer)
            let bridge = try #require(try here.link("br0"))
            let port = try #require(try here.link("port0"))
            let interface = try #require(try there.link("eth0"))
            try here.attach(port, to: bridge)
            for link in [bridge, port] {
                try here.omitLinkLocalAddress(link)
                try here.setUp(link)
            }
            try there.omitLinkLocalAddress(interface)
            try there.setUp(interface)
            #expect(try there.link("eth0")?.isUp == true)
            let gateway = IPAddress(v4: 0x0a01_0001)
            try here.addAddress(gateway, prefixLength: 24, to: bridge)
            let own = [IPAddress(v4: 0x0a01_0002), try #require(IPAddress("fd00:77::2"))]
            try there.addAddress(own[0], prefixLength: 24, to: interface)
            try there.addAddress(own[1], prefixLength: 64, to: interface)
            #expect(try Set(there.addresses(of: interface)) == Set(own))
            try there.addRoute(NetworkRoute(IPAddress(v4: 0), 0, .gateway(gateway)))
            try there.addRoute(NetworkRoute(IPAddress(v4: 0x0a02_0000), 16, .unreachable))
            #expect(throws: NetlinkError.self) {
                try there.addRoute(NetworkRoute(IPAddress(v4: 0x0a02_0000), 16, .unreachable))
            }
            #expect(try here.link("nothing") == nil)
            try here.removeLink(port)
            #expect(try there.link("eth0") == nil)
        }
        #expect(try hostLinks() == machine)
    }

    @Test func theAddressesOfAHostAreFollowed() throws {
        try withNamespaces { path, other in
            let namespace = try NetworkNamespace(path: path)
            var netlink = try Netlink(in: namespace)
            let loopback = try #require(try netlink.link("lo"))
            try netlink.setUp(loopback)
            var host = try HostAddresses(in: namespace)
            let first = try host.refresh()
            #expect(!first && host.addresses.isEmpty, "127.0.0.1 and ::1 do not count")
            try netlink.addBridge("br0")
            let bridge = try #require(try netlink.link("br0"))
            let own = [IPAddress(v4: 0x0a01_0001), try #require(IPAddress("fd00:77::1"))]
            for address in own { try netlink.addAddress(address, prefixLength: 24, to: bridge) }
            let linkLocal = try #require(IPAddress("fe80::77"))
            try netlink.addAddress(linkLocal, prefixLength: 64, to: bridge)
            let changes = [try host.refresh(), try host.refresh()]
            #expect(changes == [true, false])
            #expect(host.addresses == Set(own))
            try netlink.removeLink(bridge)
            let last = try host.refresh()
            #expect(last && host.addresses.isEmpty)
        }
    }

    @Test func settingsBelongToTheNamespace() throws {
        let machine = try Files.readText("/proc/sys/net/ipv4/ip_forward")
        try withNamespaces { path, _ in
            let namespace = try NetworkNamespace(path: path)
            try namespace.set("ipv4/ip_forward", to: "1")
            #expect(throws: Errno.noEntry) { try namespace.set("ipv4/no_such_setting", to: "1") }
        }
        #expect(try Files.readText("/proc/sys/net/ipv4/ip_forward") == machine)
    }

    @Test func theKernelsWordsAreTold() throws {
        try withNamespaces { path, _ in
            var netlink = try Netlink(in: try NetworkNamespace(path: path))
            let loopback = try #require(try netlink.link("lo"))
            let gateway = NetworkRoute(IPAddress(v4: 0), 0, .gateway(IPAddress(v4: 0x0a00_0001)))
            try netlink.setUp(loopback)
            let error = #expect(throws: NetlinkError.self) { try netlink.addRoute(gateway) }
            #expect(error?.explanation.contains("gateway") == true, "\(String(describing: error))")
        }
    }

    private func hostLinks() throws -> [String] {
        var netlink = try Netlink()
        return try netlink.links().map(\.name)
    }
}
