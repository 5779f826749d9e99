internal import CKmeshABI

/// Snapshots and states as tables for people: sorted, so that two dumps can be compared.
extension EngineSnapshot {
    /// The sections asked for, each under its name when there are several.
    public func table(_ sections: Set<DumpSection>) -> String {
        let wanted = DumpSection.allCases.filter(sections.contains)
        guard wanted.count > 1 else { return wanted.map(table).joined() }
        return wanted.map { "\($0.rawValue):\n\(table($0))" }.joined(separator: "\n")
    }

    private func table(_ section: DumpSection) -> String {
        switch section {
        case .services: serviceTable
        case .frontends: frontendTable
        case .endpoints: endpointTable
        case .enrolled: enrolledTable
        case .reasons: reasonTable
        case .maps: mapTable
        }
    }

    private var sortedServices: [ServiceSnapshot] {
        services.sorted {
            ($0.service, $0.port, $0.transport.rawValue, $0.family.rawValue, $0.id)
                < ($1.service, $1.port, $1.transport.rawValue, $1.family.rawValue, $1.id)
        }
    }

    private var serviceTable: String {
        var table = TextTable([
            "SERVICE", "PORT", "FAMILY", "ID", "POLICY", "TIER", "AFFINITY", "ENDPOINTS", "WAYPOINT",
        ])
        for service in sortedServices {
            table.add([
                service.service, service.portText, service.family.text, "\(service.id)",
                service.policy.rawValue,
                "\(service.tier)", service.affinityTimeout.map { "\($0)s" } ?? "-",
                "\(service.endpointCount)", service.waypointText,
            ])
        }
        return table.text
    }

    private var endpointTable: String {
        var table = TextTable(["SERVICE", "PORT", "FAMILY", "ID", "ADDRESS", "TARGET", "TIER", "SLOT"])
        for service in sortedServices {
            for endpoint in service.endpoints.sorted(by: {
                ($0.tier, $0.slot, $0.id) < ($1.tier, $1.slot, $1.id)
            }) {
                table.add([
                    service.service, service.portText, service.family.text, "\(endpoint.id)",
                    endpoint.address.description, "\(endpoint.port)", "\(endpoint.tier)", "\(endpoint.slot)",
                ])
            }
        }
        return table.text
    }

    private var frontendTable: String {
        var table = TextTable(["ADDRESS", "PORT", "LEADS TO"])
        let sorted = frontends.sorted {
            ($0.address, $0.port, $0.transport?.rawValue ?? 0) < (
                $1.address, $1.port, $1.transport?.rawValue ?? 0
            )
        }
        for frontend in sorted {
            let isRefused = frontend.serviceID == 0 || frontend.serviceID == KMESH_WAYPOINT_MISSING
            let port =
                frontend.transport.map { "\(frontend.port)/\($0.name)" }
                ?? (frontend.serviceID == 0 ? "any other" : "any")
            table.add([
                frontend.address.description, port,
                isRefused ? "refused" : frontend.service ?? "service \(frontend.serviceID)",
            ])
        }
        return table.text
    }

    private var enrolledTable: String {
        var table = TextTable(["POD", "UID", "ADDRESSES", "INTERFACE", "COOKIE", "NETNS"])
        for workload in enrolled.sorted(by: { ($0.pod, $0.id) < ($1.pod, $1.id) }) {
            table.add([
                workload.pod.description, workload.id.text,
                workload.addresses.map(\.description).joined(separator: ","), workload.interface,
                "\(workload.networkNamespace.cookie)", workload.networkNamespacePath,
            ])
        }
        return table.text
    }

    private var reasonTable: String {
        var table = TextTable(["REASON", "COUNT"])
        for reason in reasons.sorted(by: { $0.number < $1.number }) {
            table.add([reason.name, "\(reason.count)"])
        }
        return table.text
    }

    private var mapTable: String {
        var table = TextTable(["MAP", "ENTRIES", "CAPACITY", "EVICTIONS", "BYTES"])
        for map in maps.sorted(by: { $0.name < $1.name }) {
            table.add([
                map.name, map.entries.map { "\($0)" } ?? "-", "\(map.capacity)",
                map.evictions.map { "\($0)" } ?? "-", "\(map.bytes)",
            ])
        }
        return table.text
    }
}

extension ServiceSnapshot {
    fileprivate var portText: String { "\(port)/\(transport.name)" }

    fileprivate var waypointText: String {
        waypoint.map { isWaypointInForce ? $0 : "\($0) (not in force: refused)" } ?? "-"
    }
}

extension AddressFamily {
    fileprivate var text: String {
        switch self {
        case .v4: "IPv4"
        case .v6: "IPv6"
        }
    }
}

extension EngineActivity {
    fileprivate var driftText: String {
        guard drift > 0 else { return "0" }
        let parts = driftByMap.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return "\(drift) (\(parts.joined(separator: ", ")))"
    }
}

extension DaemonStatus {
    /// One line for each fact.
    public var table: String {
        var table = TextTable(["STATUS", ""])
        let facts = [
            ("version", version), ("mode", mode), ("node", node), ("pid", "\(pid)"), ("source", source),
            ("uptime", "\(uptime)s"), ("began with", adopted ? "what an earlier run left" : "nothing"),
            (
                "configuration",
                isConfigured ? "in force" : "not yet" + (adopted ? "; what an earlier run left is" : "")
            ),
            ("status server", statusAddress.map { "http://\($0)/" } ?? "off"),
            ("metrics", metricsAddress.map { "http://\($0)/metrics" } ?? "off"),
            ("enrolled pods", "\(enrolled)"), ("updates applied", "\(updates)"),
            ("resources refused", "\(rejected)"), ("bad configurations", "\(badConfigurations)"),
            ("map writes", "\(engine.writes)"), ("  of the latest update", "\(engine.latestWrites)"),
            ("  that wait", "\(engine.pendingWrites)\(engine.stall.map { " (\($0))" } ?? "")"),
            ("drift repaired", engine.driftText),
            ("admin requests", "\(admin.accepted)"), ("  not permitted", "\(admin.notPermitted)"),
            ("  malformed", "\(admin.malformed)"), ("  timed out", "\(admin.timedOut)"),
            ("  crowded out", "\(admin.crowdedOut)"),
        ]
        for (name, value) in facts { table.add([name, value]) }
        var text = table.text
        if let readinessNote { text += "\n\(readinessNote)\n" }
        if let lastConfigurationError {
            text += "\nthe last configuration was refused:\n\(lastConfigurationError)\n"
        }
        if !recentRejections.isEmpty {
            text += "\nrefused resources:\n" + recentRejections.map { "\($0)\n" }.joined()
        }
        return text
    }
}
