package import CKmeshABI

/// Verdicts as the programs write them, in the words of the mesh.
extension TraceEvent {
    package init(_ event: kmesh_trace_event, _ dataplane: L4Dataplane) {
        let transport = UInt8(exactly: event.protocol).flatMap(TransportProtocol.init(rawValue:))
        let dialed = SocketAddress(IPAddress(event.dialed_address), event.dialed_port)
        let chosen = dataplane.service(numbered: event.service_id)
        let isRedirected = event.reason == KMESH_REASON_REDIRECTED.rawValue
        var service = transport.flatMap { dataplane.service(at: dialed, $0) }
        if service == nil, !isRedirected { service = chosen }
        let address = IPAddress(event.endpoint_address)
        let isSteered = event.endpoint_port != 0
        self.init(
            time: MonotonicClock.wallClock(at: event.time_ns).iso8601,
            command: Self.command(event.command), process: event.process_id, transport: transport,
            dialed: dialed, service: service?.description,
            waypoint: isRedirected ? chosen?.description : nil,
            endpoint: isSteered ? SocketAddress(address, event.endpoint_port) : nil,
            workload: isSteered ? chosen.flatMap { dataplane.workloadName(at: address, serving: $0) } : nil,
            reason: event.reason)
    }

    // swift-format-ignore
    private typealias Command = (
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8,
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
    )

    /// Any program may call itself anything, also what a terminal would obey.
    private static func command(_ name: Command) -> String {
        let bytes = [
            name.0, name.1, name.2, name.3, name.4, name.5, name.6, name.7, name.8, name.9, name.10, name.11,
            name.12, name.13, name.14, name.15,
        ]
        return printable(bytes.prefix { $0 != 0 })
    }

    static func printable(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.map { (0x21...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
