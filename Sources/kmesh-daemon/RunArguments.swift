/// The daemon's flags, and what they say to its parts.
public import ArgumentParser
import KmeshDaemon
public import KmeshKit
public import Logging

struct RunArguments: ParsableArguments {
    @Option(help: "The engine.")
    var mode = EngineMode.dualEngine

    @Option(help: "The mesh: a YAML or JSON file, or a directory of such files.")
    var meshFile: String?

    @Option(
        name: .customLong("static-xds"),
        help: "Instead of a mesh: a JSON file with Envoy's listeners, routes and clusters, for kernel-native."
    )
    var staticXDS: String?

    @Flag(help: "Let a reload leave the mesh without any service and workload.")
    var allowEmpty = false

    @Option(help: "This node's name. [default: $NODE_NAME, else the host's name]")
    var nodeName: String?

    @Option(help: "Where the BPF file system is mounted.")
    var bpfFsPath = "/sys/fs/bpf"

    @Option(
        name: .customLong("cgroup2-path"), help: "The cgroup v2 directory. [default: where it is mounted]")
    var cgroupPath: String?

    @Option(help: "What happens to a connection to a service without healthy endpoints.")
    var noEndpoint = NoEndpointVerdict.refuse

    @Option(
        help: "How a waypoint is told what was dialed: in a TCP option, in a TLV before the bytes, or both.")
    var waypointMetadata = WaypointMetadata.both

    @OptionGroup(title: "HTTP in the kernel (--mode=kernel-native)")
    var routing: RoutingArguments

    @Option(help: "Where policies are enforced: on the pod's interface, or where sockets are looked up.")
    var authzHook = AuthorizationHook.xdp

    @Option(help: "What a denied client sees. [default: drop for xdp; sk-lookup always resets]")
    var authzDeny: DenialMethod?

    @Option(help: "The verdict on a connection when a part of the policies is missing in the kernel.")
    var authzDefault = DefaultVerdict.deny

    @Option(help: "Whether kubelet's probes of a pod's declared probe ports pass, or are checked by policy.")
    var authzProbes = ProbeChoice.pass

    @Option(help: "How the XDP program is attached; auto is generic on a veth and native on other drivers.")
    var authzXDPMode = XDPMode.auto

    @Option(help: "What stays in the kernel when the daemon is told to end.")
    var onExit = ExitChoice.keep

    @Flag(help: "Take over from a daemon that runs: it ends, and everything that it has pinned stays.")
    var takeover = false

    @Option(
        help: "The least important log lines to print: trace, debug, info, notice, warning, error, critical.")
    var logLevel = Logger.Level.info

    @Option(help: "The socket that kmeshctl talks to.")
    var adminSocket = AdminClient.defaultPath

    @OptionGroup(title: "Access log and metrics")
    var telemetry: TelemetryArguments
    @Option(help: "Where the status server listens: a loopback ADDRESS:PORT, or off.")
    var statusAddress = ListenPlace.usualStatus

    @Option(help: "Where the daemon keeps its lock and its list of enrolled pods.")
    var stateDir = "/run/kmesh"

    @Option(help: "Room for addresses and ports that clients dial.")
    var maxFrontends = MapCapacities().frontends

    @Option(help: "Room for ports of services, in each address family.")
    var maxServices = MapCapacities().services

    @Option(help: "Room for endpoints of all services.")
    var maxEndpoints = MapCapacities().endpoints

    @Option(help: "Room for tables of weighted and Maglev services, 64 KiB each.")
    var maxTables = MapCapacities().tables

    @Option(help: "Room for addresses of waypoint instances.")
    var maxWaypoints = MapCapacities().waypoints

    @Option(help: "kernel-native: room for listeners, and as many route tables and virtual hosts.")
    var maxListeners = MapCapacities().listeners

    @Option(help: "kernel-native: room for routes of all virtual hosts.")
    var maxRoutes = MapCapacities().routes

    func validate() throws {
        try statusAddress.validateLoopback()
        _ = try source()
        if authzHook == .socketLookup, authzDeny == .drop {
            throw ValidationError(
                "--authz-deny=drop needs --authz-hook=xdp: sk-lookup lets the kernel answer with a reset"
            )
        }
        let capacities = [
            ("--max-frontends", maxFrontends), ("--max-services", maxServices),
            ("--max-endpoints", maxEndpoints),
            ("--max-tables", maxTables), ("--max-waypoints", maxWaypoints),
            ("--max-listeners", maxListeners), ("--max-routes", maxRoutes),
        ]
        // Beyond this the kernel's own arithmetic for a map's memory ends.
        for (flag, value) in capacities where !(1...(1 << 26)).contains(value) {
            throw ValidationError("\(flag) must be from 1 to \(1 << 26)")
        }
    }

    private func source() throws -> DaemonOptions.Source {
        switch (meshFile, staticXDS) {
        case (let path?, nil): return .meshFile(path)
        case (nil, let path?):
            guard mode == .kernelNative else {
                throw ValidationError(
                    "--static-xds needs --mode=kernel-native: the \(mode.rawValue) engine has no listeners")
            }
            return .staticXDS(path)
        case (nil, nil):
            throw ValidationError(
                "--mesh-file is missing: name the mesh's file or directory, or a file with --static-xds")
        case (_?, _?):
            throw ValidationError("--mesh-file and --static-xds are both there: keep one")
        }
    }

    func options() throws -> DaemonOptions {
        guard let cgroupPath = try cgroupPath ?? CgroupMount.find() else {
            throw DaemonError.noCgroupHierarchy
        }
        var capacities = MapCapacities()
        capacities.frontends = maxFrontends
        capacities.services = maxServices
        capacities.endpoints = maxEndpoints
        capacities.tables = maxTables
        capacities.waypoints = maxWaypoints
        capacities.listeners = maxListeners
        capacities.routes = maxRoutes
        let environmentName = ProcessIdentity.environment("NODE_NAME").flatMap { $0.isEmpty ? nil : $0 }
        var engine = EngineOptions(
            nodeName: nodeName ?? environmentName ?? ProcessIdentity.hostName, bpfFileSystemPath: bpfFsPath,
            cgroupPath: cgroupPath, noEndpoint: noEndpoint, waypointMetadata: waypointMetadata,
            capacities: capacities)
        engine.authorization = AuthorizationOptions(
            hook: authzHook, denial: authzDeny, defaultVerdict: authzDefault,
            letsProbesPass: authzProbes == .pass, xdpMode: authzXDPMode)
        engine.takesOver = takeover
        engine.module = routing.loadModule.source
        engine.l7Fallback = routing.l7Fallback
        var options = DaemonOptions(
            mode: mode, engine: engine, source: try source(), allowsEmptyMesh: allowEmpty,
            onExit: onExit == .keep ? .keepPinned : .removeAll, adminSocket: adminSocket,
            stateDirectory: stateDir)
        options.telemetry = telemetry.options
        options.metricsAddress = telemetry.metricsAddress.address
        options.statusAddress = statusAddress.address
        return options
    }
}

enum ExitChoice: String, ExpressibleByArgument, CaseIterable {
    case keep, remove
}

enum ProbeChoice: String, ExpressibleByArgument, CaseIterable {
    case pass, check
}

extension EngineMode: ExpressibleByArgument {}
extension AuthorizationHook: ExpressibleByArgument {}
extension DenialMethod: ExpressibleByArgument {}
extension DefaultVerdict: ExpressibleByArgument {}
extension XDPMode: ExpressibleByArgument {}
extension NoEndpointVerdict: ExpressibleByArgument {}
extension WaypointMetadata: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}
