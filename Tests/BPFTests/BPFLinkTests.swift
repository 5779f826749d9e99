import BPFLoader
import Foundation
import KmeshTestSupport
import Testing

@testable import KmeshKit

/// Attachments to interfaces and network namespaces, in namespaces of the test's own.
@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: attaches BPF programs"))
struct BPFLinkTests {
    /// The programs of `attach_test.bpf.c` and how often each has run.
    final class Programs {
        let first: SharedDescriptor
        let second: SharedDescriptor
        let passing: SharedDescriptor
        let dropping: SharedDescriptor
        private let counts: BPFMap<Word, Word>

        init() throws {
            let object = try testObject("attach_test")
            try object.load()
            first = SharedDescriptor(try object.program("xdp_first"))
            second = SharedDescriptor(try object.program("xdp_second"))
            passing = SharedDescriptor(try object.program("lookup_pass"))
            dropping = SharedDescriptor(try object.program("lookup_drop"))
            counts = try BPFMap(try object.map("test_count"), name: "test_count")
        }

        func count(_ slot: UInt32) throws -> Int {
            Int(try #require(try counts.value(of: Word(value: slot))).value)
        }
    }

    private func id(_ program: SharedDescriptor) throws -> UInt32 { try BPFProgram.id(of: program.file) }

    private func pinned(_ name: String, in directory: PinDirectory) throws -> BPFLink {
        guard let descriptor = try directory.open(name) else { throw Errno.noEntry }
        return BPFLink(descriptor)
    }

    /// Waits for what the kernel does some time later.
    private func eventually(_ condition: () throws -> Bool) async throws -> Bool {
        for _ in 0..<500 {
            if try condition() { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test func aProgramSeesSocketsEnd() throws {
        let object = try testObject("attach_test")
        try object.load()
        let program = SharedDescriptor(try object.program("sock_release"))
        let counts = try BPFMap<Word, Word>(try object.map("test_count"), name: "test_count")
        let mount = try #require(try Cgroup.mountPoint())
        let cgroup = "\(mount)/kmesh-test-\(UInt32.random(in: 0...UInt32.max))"
        try Files.makeDirectories(cgroup)
        defer { try? Files.removeDirectory(cgroup) }
        let pins = try TestPins()
        let directory = try pins.directory()
        let attachments = CgroupAttachments(pins: directory, cgroupPath: cgroup)
        try attachments.apply([.sockRelease: program])
        #expect(try pinned("link_sock_release", in: directory).facts().programID == id(program))

        let client = try Process.run(
            URL(fileURLWithPath: "/bin/sh"),
            arguments: [
                "-c", "echo $$ >\(cgroup)/cgroup.procs; exec python3 -c 'import socket; socket.socket()'",
            ])
        client.waitUntilExit()
        #expect(client.terminationStatus == 0)
        #expect(try counts.value(of: 4)?.value == 1)
        // Nobody wants it any more.
        try attachments.apply([:])
        #expect(try directory.pinnedNames() == [])
    }

    @Test func anXDPLinkIsPinnedReplacedAndDetached() async throws {
        let programs = try Programs()
        let network = try NamespacePair()
        let pins = try TestPins()
        let directory = try pins.directory()
        let namespace = try NetworkNamespace(path: network.server.path)
        let interface = try network.server.link()
        do {
            let attachment = try BPFLink.attach(
                xdp: programs.first.file, to: interface, in: namespace, mode: .generic)
            #expect(
                try attachment.link.facts()
                    == BPFLinkFacts(
                        kind: .interface, programID: id(programs.first), target: UInt64(interface.index)))
            try directory.pin(attachment.link.descriptor, as: "xdp")
        }
        // Only the pin holds it now.
        let link = try pinned("xdp", in: directory)
        let client = try NetworkNamespace(path: network.client.path)
        let target = SocketAddress(network.server.address, 9)
        func send() throws {
            _ = try InternetSocket.answersDatagram(target, in: client, timeoutMilliseconds: 0)
        }
        try send()
        #expect(try await eventually { try programs.count(0) == 1 })
        // Each datagram meets one of the two, and none meets neither.
        for round in 0..<200 {
            let program = round % 2 == 0 ? programs.second : programs.first
            try link.update(to: program.file, at: "xdp")
            try send()
        }
        #expect(try await eventually { try programs.count(0) + programs.count(1) == 201 })
        #expect(try programs.count(0) > 50 && programs.count(1) > 50)
        #expect(try link.facts().programID == id(programs.first))

        try link.detach()
        #expect(try link.facts().isGone)
        try link.detach()
        try send()
        try await Task.sleep(for: .milliseconds(50))
        #expect(try programs.count(0) + programs.count(1) == 201)
        #expect(throws: BPFError.failed("replace the program at xdp", .noLink)) {
            try link.update(to: programs.second.file, at: "xdp")
        }
    }

    @Test(arguments: [(XDPMode.generic, XDPMode.generic), (.native, .generic), (.generic, .native)])
    func anotherProgramOnTheInterfaceIsNamed(there: XDPMode, wanted: XDPMode) throws {
        let programs = try Programs()
        let network = try NamespacePair()
        let namespace = try NetworkNamespace(path: network.server.path)
        let interface = try network.server.link()
        let attachment = try BPFLink.attach(
            xdp: programs.first.file, to: interface, in: namespace, mode: there)
        let error = #expect(throws: BPFError.self) {
            _ = try BPFLink.attach(xdp: programs.second.file, to: interface, in: namespace, mode: wanted)
        }
        #expect(
            error?.description.hasPrefix(
                "cannot attach to eth0 in \(network.server.path): another XDP program is there; remove it, "
                    + "or use --authz-hook=sk-lookup") == true, "\(String(describing: error))")
        #expect(attachment.mode == there)
    }

    @Test func theModeFollowsTheInterface() throws {
        let programs = try Programs()
        let network = try NamespacePair()
        let namespace = try NetworkNamespace(path: network.server.path)
        let interface = try network.server.link()
        #expect(interface.kind == "veth" && interface.attachedXDP == nil)
        for (mode, inForce) in [(XDPMode.auto, XDPMode.generic), (.native, .native)] {
            let attachment = try BPFLink.attach(
                xdp: programs.first.file, to: interface, in: namespace, mode: mode)
            #expect(attachment.mode == inForce)
            #expect(try network.server.link().attachedXDP == inForce)
        }
        #expect(try network.server.link().attachedXDP == nil)
        // Not a veth: native is tried, which loopback has not.
        var netlink = try Netlink(in: namespace)
        let loopback = try #require(try netlink.link("lo"))
        #expect(loopback.kind == nil)
        let attachment = try BPFLink.attach(
            xdp: programs.first.file, to: loopback, in: namespace, mode: .auto)
        #expect(attachment.mode == .generic)
        try attachment.link.detach()
        #expect(
            throws: BPFError.failed(
                "attach to lo in \(network.server.path) in native mode", .notSupported)
        ) {
            _ = try BPFLink.attach(xdp: programs.first.file, to: loopback, in: namespace, mode: .native)
        }
    }

    @Test func anInterfaceThatIsGoneIsSeen() async throws {
        let programs = try Programs()
        let network = try NamespacePair()
        let namespace = try NetworkNamespace(path: network.server.path)
        let interface = try network.server.link()
        let attachment = try BPFLink.attach(
            xdp: programs.first.file, to: interface, in: namespace, mode: .auto)
        var netlink = try Netlink(in: namespace)
        try netlink.removeLink(interface)
        #expect(try attachment.link.facts().isGone)
        #expect(throws: BPFError.failed("replace the program at eth0", .noLink)) {
            try attachment.link.update(to: programs.second.file, at: "eth0")
        }
        #expect(throws: BPFError.self) {
            _ = try BPFLink.attach(xdp: programs.first.file, to: interface, in: namespace, mode: .auto)
        }
    }

    @Test func aSocketLookupLinkDecidesInItsNamespace() async throws {
        let programs = try Programs()
        let network = try NamespacePair()
        let pins = try TestPins()
        let directory = try pins.directory()
        let listener = try await network.server.run { () throws(Errno) in
            SharedDescriptor(try InternetSocket.listen(port: 0))
        }
        let port = try InternetSocket.localAddress(listener.file).port
        let client = try NetworkNamespace(path: network.client.path)
        func answers(_ address: IPAddress) throws -> Bool {
            try InternetSocket.answers(
                SocketAddress(address, port), in: client, timeoutMilliseconds: 1000)
        }
        let inode: UInt64
        do {
            let namespace = try NetworkNamespace(path: network.server.path)
            inode = try await NetworkNamespaceIdentity.read(network.server.path).identity.inode
            let link = try BPFLink.attach(socketLookup: programs.passing.file, to: namespace)
            try directory.pin(link.descriptor, as: "lookup")
        }
        let link = try pinned("lookup", in: directory)
        #expect(
            try link.facts()
                == BPFLinkFacts(kind: .networkNamespace, programID: id(programs.passing), target: inode))
        #expect(try answers(network.server.address) && answers(network.server.address6))
        #expect(try programs.count(2) == 2)
        try link.update(to: programs.dropping.file, at: "sk_lookup")
        #expect(try !answers(network.server.address) && !answers(network.server.address6))
        #expect(try programs.count(2) == 2 && programs.count(3) == 2)
        try link.detach()
        #expect(try link.facts().isGone)
        #expect(try answers(network.server.address))
    }

    @Test func aNamespaceThatIsGoneIsSeen() async throws {
        let programs = try Programs()
        let network = try NamespacePair()
        let link = try BPFLink.attach(
            socketLookup: programs.passing.file, to: try NetworkNamespace(path: network.server.path))
        #expect(try !link.facts().isGone)
        try network.remove()
        #expect(try await eventually { try link.facts().isGone })
        #expect(throws: BPFError.failed("replace the program at sk_lookup", .noLink)) {
            try link.update(to: programs.dropping.file, at: "sk_lookup")
        }
    }
}
