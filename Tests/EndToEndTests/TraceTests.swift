/// Verdicts of a traced pod, as the programs write them into the ring.
import CKmeshABI
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class TraceTests {
    let node: SandboxNode

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "trace", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    private func pin(_ name: String) throws -> FileDescriptor {
        let pins = try PinDirectory(
            root: "\(node.directory)/bpf", name: "dual-engine-v\(KMESH_LAYOUT_VERSION)")
        guard let map = try pins.open(name) else { throw Errno.noEntry }
        return map
    }

    /// Traces the client for some seconds, or ends it with 0.
    private func trace(seconds: UInt32) throws -> UInt64 {
        let store = try EnrollmentStore.open(stateDirectory: "\(node.directory)/state").store
        let pod = try #require(store.workloads.first { $0.pod.name.hasPrefix("client") })
        let client = pod.networkNamespace
        let enrolled = try BPFMap<EnrolledKey, EnrolledValue>(pin(KMESH_MAP_ENROLLED), name: "km_enrolled")
        let key = EnrolledKey(netnsCookie: client.cookie)
        var value = try #require(enrolled.contents().entries[key])
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        value.traceUntil = seconds == 0 ? 0 : UInt32(now.tv_sec) + seconds
        try enrolled.upsert([MapEntry(key, value)])
        return client.cookie
    }

    private func drain(_ ring: inout RingBuffer) -> [kmesh_trace_event] {
        var events: [kmesh_trace_event] = []
        _ = ring.drain(limit: 100_000) { record in
            if let event = record.record(as: kmesh_trace_event.self) { events.append(event) }
        }
        return events
    }

    @Test func eachVerdictOfATracedPodIsWritten() throws {
        var ring = try RingBuffer(pin(KMESH_MAP_TRACE), name: KMESH_MAP_TRACE)
        _ = try node.probe("client", "tcp", "10.96.7.1", "80", "3")
        #expect(drain(&ring).isEmpty, "nobody is traced yet")

        let cookie = try trace(seconds: 60)
        _ = try node.probe("client", "tcp", "10.96.7.1", "80", "3")
        _ = try node.probe("client", "sendto", "10.96.7.6", "53", "2")
        _ = try node.probe("client", "tcp", "10.96.7.5", "80")
        let events = drain(&ring).filter { $0.service_id != 0 }
        #expect(events.allSatisfy { $0.netns_cookie == cookie && $0.socket_cookie != 0 })
        #expect(events.allSatisfy { $0.process_id != 0 && $0.command.0 == UInt8(ascii: "p") })
        let tcp = events.filter { $0.dialed_port == 80 && $0.endpoint_port == 8080 }
        #expect(tcp.count == 3 && tcp.allSatisfy { $0.protocol == 6 }, "\(events)")
        #expect(tcp.allSatisfy { $0.reason == KMESH_REASON_STEERED.rawValue })
        let udp = events.filter { $0.dialed_port == 53 }
        #expect(udp.count == 2 && udp.allSatisfy { $0.protocol == 17 && $0.endpoint_port != 0 })
        let refused = events.filter { $0.reason == KMESH_REASON_NO_ENDPOINT.rawValue }
        #expect(refused.count == 1 && refused.allSatisfy { $0.endpoint_port == 0 })

        // Nobody reads: the ring fills, and what does not fit is counted.
        let flood = "import socket\nfor _ in range(4000): socket.socket().connect_ex(('10.96.7.5', 80))"
        #expect(try node.exec("client", ["python3", "-c", flood]).status == 0)
        #expect(try node.reasonCounts()["trace_lost", default: 0] > 0)
        _ = try trace(seconds: 0)
        _ = drain(&ring)
        _ = try node.probe("client", "tcp", "10.96.7.1", "80", "3")
        #expect(drain(&ring).isEmpty, "the trace has ended")
    }
}
