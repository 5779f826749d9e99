/// A waypoint, and what goes through it, for people and tools to read.
public struct WaypointReport: Hashable, Sendable {
    public var waypoint: String
    /// Whether it is there to take connections; if not, they are refused.
    public var isInForce: Bool
    /// Addresses and ports of those that connections are sent to.
    public var instances: [String]
    /// `Service namespace/hostname`, or a workload's uid.
    public var targets: [String]

    public init(waypoint: String, isInForce: Bool, instances: [String], targets: [String]) {
        self.waypoint = waypoint
        self.isInForce = isInForce
        self.instances = instances
        self.targets = targets
    }

    /// Every waypoint that the configuration has or names, sorted.
    public static func all(_ snapshot: EngineSnapshot, _ configuration: [MeshResource]) -> [WaypointReport] {
        var targets: [WaypointReference: [String]] = [:]
        var instances: Set<ServiceKey> = []
        for resource in configuration {
            switch resource {
            case .service(let service):
                guard let waypoint = service.waypoint, waypoint.service != service.key else { continue }
                targets[waypoint, default: []].append("Service \(service.key)")
            case .workload(let workload):
                if let waypoint = workload.waypoint { targets[waypoint, default: []].append(workload.uid) }
                if workload.isWaypoint { instances.formUnion(workload.memberships.map(\.service)) }
            case .node, .routes, .listener, .cluster, .policy: break
            }
        }
        // One that nothing goes through yet.
        for service in instances.subtracting(targets.keys.map(\.service)) {
            targets[WaypointReference(service: service)] = []
        }
        let ports = Dictionary(grouping: snapshot.services) { "\($0.service):\($0.port)" }
        return targets.map { waypoint, targets in
            let found = ports[waypoint.description, default: []].filter { $0.transport == .tcp }
            let instances = found.flatMap { port in
                port.endpoints.filter { $0.tier == port.tier }.map {
                    SocketAddress($0.address, $0.port).description
                }
            }
            return WaypointReport(
                waypoint: waypoint.description, isInForce: !found.isEmpty, instances: instances.sorted(),
                targets: targets.sorted())
        }.sorted { $0.waypoint < $1.waypoint }
    }

    var json: JSONValue {
        [
            "waypoint": .string(waypoint), "inForce": .bool(isInForce), "instances": JSONValue(instances),
            "targets": JSONValue(targets),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            waypoint: try reader.string("waypoint"), isInForce: try reader.bool("inForce"),
            instances: try reader.strings("instances"), targets: try reader.strings("targets"))
    }

    /// A line for each that goes through one.
    public static func table(_ reports: [WaypointReport]) -> String {
        guard !reports.isEmpty else { return "the mesh has no waypoints\n" }
        var table = TextTable(["WAYPOINT", "STATE", "INSTANCES", "WHAT GOES THROUGH IT"])
        for report in reports {
            let state =
                !report.isInForce
                ? "not in force: refused" : report.instances.isEmpty ? "no instance: refused" : "in force"
            for target in report.targets.isEmpty ? ["nothing"] : report.targets {
                table.add([
                    report.waypoint, state,
                    report.instances.isEmpty ? "-" : report.instances.joined(separator: ","), target,
                ])
            }
        }
        return table.text
    }
}
