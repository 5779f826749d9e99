internal import KmeshKit
internal import Telemetry

/// What the daemon was started with, under the names of its flags.
extension DaemonOptions {
    var json: JSONValue {
        let authorization = engine.authorization
        let capacities = engine.capacities
        let members: [JSONValue.Member] = [
            .init("mode", .string(mode.rawValue)), .init("mesh-file", JSONValue(source.meshFile)),
            .init("static-xds", JSONValue(source.staticXDS)),
            .init("allow-empty", .bool(allowsEmptyMesh)), .init("node-name", .string(engine.nodeName)),
            .init("bpf-fs-path", .string(engine.bpfFileSystemPath)),
            .init("cgroup2-path", .string(engine.cgroupPath)),
            .init("no-endpoint", .string(engine.noEndpoint.rawValue)),
            .init("waypoint-metadata", .string(engine.waypointMetadata.rawValue)),
            .init("load-module", .string(engine.module.text)),
            .init("l7-fallback", .string(engine.l7Fallback.rawValue)),
            .init("authz-hook", .string(authorization.hook.rawValue)),
            .init("authz-deny", JSONValue(authorization.denial?.rawValue)),
            .init("authz-default", .string(authorization.defaultVerdict.rawValue)),
            .init("authz-probes", .string(authorization.letsProbesPass ? "pass" : "check")),
            .init("authz-xdp-mode", .string(authorization.xdpMode.rawValue)),
            .init("on-exit", .string(onExit == .keepPinned ? "keep" : "remove")),
            .init("admin-socket", .string(adminSocket)), .init("state-dir", .string(stateDirectory)),
            .init("status-address", .string(statusAddress?.description ?? "off")),
            .init("metrics-address", .string(metricsAddress?.description ?? "off")),
            .init("takeover", .bool(engine.takesOver)),
            .init("accesslog", .bool(telemetry.isLogging)),
            .init("accesslog-format", .string(telemetry.logFormat.rawValue)),
            .init("monitoring", .bool(telemetry.isMonitoring)),
            .init("report-interval", JSONValue(telemetry.reportInterval.components.seconds)),
            .init("metrics-series-limit", JSONValue(telemetry.seriesLimit)),
            .init("workload-metrics", .bool(telemetry.hasWorkloadSeries)),
            .init("bpf-stats", .bool(telemetry.countsPrograms)),
            .init("cluster-id", .string(telemetry.cluster)),
            .init("max-frontends", JSONValue(capacities.frontends)),
            .init("max-services", JSONValue(capacities.services)),
            .init("max-endpoints", JSONValue(capacities.endpoints)),
            .init("max-tables", JSONValue(capacities.tables)),
            .init("max-waypoints", JSONValue(capacities.waypoints)),
            .init("max-listeners", JSONValue(capacities.listeners)),
            .init("max-routes", JSONValue(capacities.routes)),
        ]
        return .object(members)
    }
}

extension KernelModule.Source {
    fileprivate var text: String {
        switch self {
        case .installed: "auto"
        case .file(let path): path
        case .nowhere: "off"
        }
    }
}

extension DaemonOptions.Source {
    fileprivate var meshFile: String? {
        guard case .meshFile(let path) = self else { return nil }
        return path
    }

    fileprivate var staticXDS: String? {
        guard case .staticXDS(let path) = self else { return nil }
        return path
    }
}
