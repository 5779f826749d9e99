/// Somebody changes maps and hooks beside the daemon: it finds that and repairs it, while traffic goes on.
import AuthzXDP
import BPFLoader
import CKmeshABI
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class DriftTests {
    let node: SandboxNode

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "drift", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    private func pins(_ name: String) throws -> PinDirectory {
        try PinDirectory(root: "\(node.directory)/bpf", name: name)
    }

    private func open<Key, Value>(_ name: String, in pins: PinDirectory) throws -> BPFMap<Key, Value> {
        guard let pin = try pins.open(name) else { throw Errno.noEntry }
        return try BPFMap(pin, name: name)
    }

    private func drift() throws -> Int { try Int(node.status()["engine.drift"] ?? "") ?? -1 }

    private func expectSteering(_ comment: Comment) throws {
        for _ in 0..<3 {
            let answers = try node.probe("client", "tcp", "10.96.7.1", "80", "10")
            #expect(answers.allSatisfy { $0["peer"] == "10.96.7.1:80" && $0["pod"] != nil }, comment)
        }
    }

    /// Returns how many entries and hooks are not as they should be any more.
    private func damage() throws -> Int {
        let steering = try pins("dual-engine-v\(KMESH_LAYOUT_VERSION)")
        let authorization = try pins("authz-v\(KMESH_AUTHZ_LAYOUT_VERSION)")
        let endpoints: BPFMap<EndpointKey, EndpointValue> = try open("km_endpoint", in: steering)
        let gone = try #require(endpoints.contents().entries.keys.first)
        try endpoints.remove([gone])
        let services: BPFMap<ServiceMapKey, ServiceValue> = try open("km_service", in: steering)
        let (key, value) = try #require(services.contents().entries.first)
        var other = value
        other.endpointCount = 4242
        try services.upsert([MapEntry(key, other)])
        let slots: BPFMap<SlotKey, UnsealedSlot> = try open("km_slot", in: steering)
        let slot = try #require(slots.contents().entries.keys.first)
        try slots.upsert([MapEntry(slot, UnsealedSlot(words: [7, 7][...]))])
        let frontends: BPFMap<FrontendKey, FrontendValue> = try open("km_frontend", in: steering)
        let foreign = FrontendKey(address: IPAddress(v4: 0x0a60_0963), port: 99, transport: .tcp)
        try frontends.upsert([MapEntry(foreign, FrontendValue(serviceID: key.serviceID))])
        let enrolled: BPFMap<EnrolledKey, EnrolledValue> = try open("km_enrolled", in: steering)
        let pod = try #require(enrolled.contents().entries.keys.first)
        try enrolled.remove([pod])
        let sources: BPFMap<AuthzAddressKey, AuthzSourceValue> = try open(
            "km_authz_source", in: authorization)
        let source = try #require(sources.contents().entries.keys.first)
        try sources.remove([source])
        let terms: BPFMap<AuthzTermKey, AuthzTermValue> = try open("km_authz_term", in: authorization)
        try terms.upsert([MapEntry(AuthzTermKey(blockID: 4242, bit: 0), AuthzTermValue(policyID: 1))])
        try replaceProgram(of: steering.open("link_connect6"))
        // As `bpftool link detach` does, and as `rm` of a pin does.
        guard let connect = try steering.open("link_connect4") else { throw Errno.noEntry }
        try BPFLink(connect).detach()
        try steering.unpin("link_sendmsg6")
        return 10
    }

    /// Puts a program into the hook's link that works over maps of its own, which are empty.
    private func replaceProgram(of link: consuming FileDescriptor?) throws {
        guard let link else { throw Errno.noEntry }
        let object = try BPFObject(named: "dual")
        try object.set(constants: kmesh_l4_settings(pass_without_endpoint: 0, metadata: 3, has_mptcp: 0))
        try object.load()
        try BPFLink(link).update(to: try object.program("kmesh_connect6"), at: "connect6")
    }

    @Test func whatSomebodyElseChangesIsRepaired() throws {
        #expect(try drift() == 0)
        try expectSteering("before")
        let damaged = try damage()
        // A round over the maps begins every 30 s, and takes a look for each of 15.
        try node.wait(seconds: 120, for: "the repair") { try drift() >= damaged }
        let byMap = try node.status()["engine.driftByMap"] ?? ""
        #expect(try drift() == damaged, "\(byMap)")
        let verified = try node.control("verify")
        #expect(verified.status == 0, "\(verified.output)")
        try expectSteering("after")
        let status = try node.control("status").output
        #expect(status.contains("drift repaired") && status.contains("hooks 3"), "\(status)")
        let log = try String(contentsOfFile: "\(node.directory)/daemon.log", encoding: .utf8)
        for text in [
            "drift in hooks, connect4", "drift in hooks, connect6: wanted our program",
            "drift in km_endpoint, default/", "drift in km_enrolled, pod ",
            "drift in km_frontend, 10.96.9.99:99/TCP", "drift in km_authz_source, ",
        ] {
            #expect(log.contains(text), "\(text): \(log)")
        }
        #expect(try drift() == damaged, "nothing is repaired twice")
    }
}

/// `struct kmesh_slot` as it lies in memory.
private struct UnsealedSlot: MapWords {
    let endpointID: UInt32
    let seal: UInt32

    static var wordCount: Int { 2 }
    func append(to words: inout [UInt32]) { words += [endpointID, seal] }
    init(words: ArraySlice<UInt32>) {
        (endpointID, seal) = (words[words.startIndex], words[words.startIndex + 1])
    }
}
