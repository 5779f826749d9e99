import CKmeshABI
import Testing

@testable import KmeshKit

/// Verdicts of the programs in the words of the mesh, and how they wait for who asks.
@Suite struct VerdictTraceTests {
    private func event(_ command: String) -> TraceEvent {
        TraceEvent(
            time: "t", command: command, process: 1, transport: .tcp,
            dialed: SocketAddress(IPAddress(v4: 1), 80), reason: 0)
    }

    // MARK: The buffer

    @Test func whoAsksGetsWhatCameSince() {
        var buffer = TraceBuffer()
        #expect(buffer.report(after: 0) == TraceReport())
        for name in ["a", "b", "c"] { buffer.append(event(name)) }
        #expect(buffer.report(after: 0).events.map(\.command) == ["a", "b", "c"])
        let report = buffer.report(after: 2)
        #expect(report.events.map(\.sequence) == [3] && report.last == 3 && report.missed == 0)
        #expect(buffer.report(after: 3).events.isEmpty)
        // Two clients ask independently.
        #expect(buffer.report(after: 1).events.map(\.command) == ["b", "c"])
    }

    @Test func whatWasTooMuchIsCounted() {
        var buffer = TraceBuffer()
        let count = UInt64(5 * TraceBuffer.limit + 3)
        for number in 1...count { buffer.append(event("\(number)")) }
        let report = buffer.report(after: 10)
        #expect(report.events.count == TraceBuffer.limit && report.last == count)
        #expect(report.events.first?.sequence == count - UInt64(TraceBuffer.limit) + 1)
        #expect(report.missed == count - 10 - UInt64(TraceBuffer.limit))
        #expect(buffer.report(after: count - 1).events.map(\.command) == ["\(count)"])
    }

    @Test func aNumberOfAnEarlierDaemonBeginsAgain() {
        var buffer = TraceBuffer()
        buffer.append(event("a"))
        #expect(buffer.report(after: 900) == buffer.report(after: 0))
        #expect(buffer.report(after: UInt64.max).events.count == 1)
    }

    // MARK: The verdicts

    private func dataplane() -> L4Dataplane {
        var rig = Rig()
        var redirected = service("shop", ["10.0.0.2"])
        redirected.waypoint = WaypointReference(service: key("way"), port: 80)
        rig.apply([
            put(service("web", ["10.0.0.1"])), put(redirected), put(service("way", ["10.0.0.9"])),
            put(workload("web-1", ["10.1.0.1"], serving: ["web"])),
            put(workload("way-1", ["10.1.0.9"], serving: ["way"])),
        ])
        return rig.dataplane
    }

    private func verdict(
        _ dialed: UInt32, _ port: UInt16, _ reason: kmesh_reason, service: String? = nil,
        endpoint: UInt32? = nil, command: [UInt8] = Array("curl".utf8)
    ) throws -> TraceEvent {
        let dataplane = dataplane()
        var event = kmesh_trace_event()
        event.dialed_address = address(dialed)
        event.dialed_port = port
        event.protocol = 6
        event.reason = reason.rawValue
        event.process_id = 99
        if let service {
            event.service_id = try #require(dataplane.inForce[key(service)]?.ports.first?.id)
        }
        if let endpoint {
            event.endpoint_address = address(endpoint)
            event.endpoint_port = 8080
        }
        let bytes = command + [UInt8](repeating: 0, count: 16 - command.count)
        event.command = (
            bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], bytes[8],
            bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]
        )
        event.time_ns = MonotonicClock.nanoseconds()
        return TraceEvent(event, dataplane)
    }

    private func address(_ v4: UInt32) -> kmesh_address {
        let words = FrontendKey(markerOf: IPAddress(v4: v4)).words
        return kmesh_address(words: (words[0], words[1], words[2], words[3]))
    }

    @Test func aSteeredConnectionIsNamed() throws {
        let event = try verdict(0x0a00_0001, 80, KMESH_REASON_STEERED, service: "web", endpoint: 0x0a01_0001)
        #expect(event.service == "default/web" && event.waypoint == nil)
        #expect(event.workload == "default/web-1" && event.endpoint?.description == "10.1.0.1:8080")
        #expect(event.command == "curl" && event.process == 99 && event.transport == .tcp)
        #expect(event.dialed.description == "10.0.0.1:80" && event.reasonName == "steered")
        #expect(event.text.hasSuffix("Sent to an endpoint of the service."), "\(event.text)")
        #expect(event.text.contains("curl/99"), "\(event.text)")
    }

    @Test func aRedirectedConnectionHasItsServiceAndItsWaypoint() throws {
        let event = try verdict(
            0x0a00_0002, 80, KMESH_REASON_REDIRECTED, service: "way", endpoint: 0x0a01_0009)
        #expect(event.service == "default/shop" && event.waypoint == "default/way")
        #expect(event.workload == "default/way-1")
        // A workload's address is no service's.
        let direct = try verdict(
            0x0a01_0001, 80, KMESH_REASON_REDIRECTED, service: "way", endpoint: 0x0a01_0009)
        #expect(direct.service == nil && direct.waypoint == "default/way")
    }

    @Test func aRefusedPortIsItsServices() throws {
        let event = try verdict(0x0a00_0001, 81, KMESH_REASON_UNDECLARED_PORT)
        #expect(event.service == "default/web" && event.endpoint == nil && event.workload == nil)
        #expect(event.explanation == "Refused: the service does not declare the port.")
        let outside = try verdict(0x0808_0808, 53, KMESH_REASON_NOT_A_SERVICE)
        #expect(outside.service == nil && outside.endpoint == nil)
    }

    @Test func aNameThatATerminalWouldObeyIsHarmless() throws {
        let event = try verdict(
            1, 1, KMESH_REASON_NOT_A_SERVICE, command: [0x1b, 0x5b, 0x41, 0x20, 0xc3, 0x61])
        #expect(event.command == "?[A??a")
        let whole = try verdict(
            1, 1, KMESH_REASON_NOT_A_SERVICE, command: [UInt8](repeating: 0x61, count: 16))
        #expect(whole.command.count == 16)
    }

    @Test func theTimeIsThatOfTheEvent() {
        let now = WallClock.now()
        let second = MonotonicClock.wallClock(at: MonotonicClock.nanoseconds() - 1_000_000_000)
        let difference =
            (now.seconds - second.seconds) * 1_000_000_000 + now.nanoseconds - second.nanoseconds
        #expect((500_000_000...1_500_000_000).contains(difference), "\(difference)")
        #expect((0..<1_000_000_000).contains(second.nanoseconds))
    }
}
