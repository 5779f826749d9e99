/// A verdict on a traced pod's connection, in the words of the mesh.

public struct TraceEvent: Hashable, Sendable {
    /// Grows by one with each event of the pod, from 1 on.
    public var sequence: UInt64
    public var time: String
    /// The program that dialed: its thread's name, and its process as the node sees it.
    public var command: String
    public var process: UInt32
    /// `nil` for neither TCP nor UDP.
    public var transport: TransportProtocol?
    public var dialed: SocketAddress
    /// The service that was dialed, if it was one's address.
    public var service: String?
    /// The service of the waypoint that the connection goes through.
    public var waypoint: String?
    /// Where it was sent, if it was sent elsewhere.
    public var endpoint: SocketAddress?
    /// The workload that has the endpoint's address.
    public var workload: String?
    /// The number of a `VerdictReason`.
    public var reason: UInt32

    public init(
        sequence: UInt64 = 0, time: String, command: String, process: UInt32,
        transport: TransportProtocol?, dialed: SocketAddress, service: String? = nil,
        waypoint: String? = nil, endpoint: SocketAddress? = nil, workload: String? = nil, reason: UInt32
    ) {
        (self.sequence, self.time, self.command, self.process) = (sequence, time, command, process)
        (self.transport, self.dialed, self.service) = (transport, dialed, service)
        (self.waypoint, self.endpoint, self.workload) = (waypoint, endpoint, workload)
        self.reason = reason
    }

    public var reasonName: String { VerdictReason(rawValue: reason)?.name ?? "reason_\(reason)" }

    public var explanation: String {
        VerdictReason(rawValue: reason)?.explanation ?? "The daemon does not know this reason."
    }

    public var json: JSONValue {
        [
            "sequence": JSONValue(sequence), "time": .string(time), "command": .string(command),
            "process": JSONValue(process), "protocol": JSONValue(transport?.name),
            "address": .string(dialed.address.description), "port": JSONValue(dialed.port),
            "service": JSONValue(service), "waypoint": JSONValue(waypoint),
            "endpointAddress": JSONValue(endpoint?.address.description),
            "endpointPort": JSONValue(endpoint?.port), "workload": JSONValue(workload),
            "reason": JSONValue(reason), "reasonName": .string(reasonName),
            "explanation": .string(explanation),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        let transport = try reader.optionalString("protocol")
        var endpoint: SocketAddress?
        if reader.contains("endpointAddress") {
            endpoint = SocketAddress(
                try reader.address("endpointAddress"), try reader.integer("endpointPort"))
        }
        self.init(
            sequence: try reader.integer("sequence"), time: try reader.string("time"),
            command: try reader.string("command"), process: try reader.integer("process"),
            transport: TransportProtocol.allCases.first { $0.name == transport },
            dialed: SocketAddress(try reader.address("address"), try reader.integer("port")),
            service: try reader.optionalString("service"), waypoint: try reader.optionalString("waypoint"),
            endpoint: endpoint, workload: try reader.optionalString("workload"),
            reason: try reader.integer("reason"))
    }

    /// As people read it; the columns are those of `columns`.
    public var text: String {
        let transport = transport.map { "/\($0.name)" } ?? ""
        let through = waypoint.map { " via \($0)" } ?? ""
        let pod = workload.map { "\($0) " } ?? ""
        return Self.line(
            String(time.dropFirst(11)), "\(command)/\(process)", "\(dialed)\(transport)",
            (service ?? "-") + through, endpoint.map { "\(pod)\($0)" } ?? "-", explanation)
    }

    public static var columns: String {
        line("TIME", "PROGRAM", "DIALED", "SERVICE", "ENDPOINT", "VERDICT")
    }

    /// The lines come one by one, so the widths are set before.
    private static func line(_ texts: String...) -> String {
        var line = ""
        for (text, width) in zip(texts, [14, 18, 22, 40, 40, 0]) {
            line += text + String(repeating: " ", count: max(0, width - 1 - text.count))
            if width > 0 { line += " " }
        }
        return line
    }
}
