/// Everything that the daemon counts and measures, for Prometheus.
internal import KmeshKit
internal import Telemetry

struct MetricsPage {
    let status: DaemonStatus
    let applyTimes: Histogram
    let connections: ConnectionMetrics?
    let meters: EngineMeters
    let process: ProcessUse
    let started: WallClock

    func text() -> [UInt8] {
        var writer = MetricsWriter()
        writer.family("kmesh_build_info", .gauge, "The version and the engine; always 1.")
        writer.sample("kmesh_build_info", [("version", KmeshVersion.current), ("mode", status.mode)], 1)
        connections?.write(to: &writer)
        writeVerdicts(to: &writer)
        writeMaps(to: &writer)
        writePrograms(to: &writer)
        writeConfiguration(to: &writer)
        writeProcess(to: &writer)
        return writer.bytes
    }

    private func writeVerdicts(to writer: inout MetricsWriter) {
        let verdicts = "kmesh_verdicts_total"
        writer.family(
            verdicts, .counter, "What programs decided or met; kmeshctl dump reasons explains the reasons.")
        for reason in meters.reasons { writer.sample(verdicts, [("reason", reason.name)], reason.count) }
        let denied = "kmesh_authz_denied_total"
        writer.family(
            denied, .counter, "Connections that a policy has denied, or with dry_run would have.")
        for policy in meters.policies {
            let labels = [
                ("policy_kind", policy.policy.kind.rawValue),
                ("policy_namespace", policy.policy.namespace), ("policy", policy.policy.name),
                ("action", policy.action.rawValue), ("dry_run", "\(policy.isDryRun)"),
            ]
            writer.sample(denied, labels, policy.denied)
        }
        let protected = "kmesh_authz_policy_workloads"
        writer.family(protected, .gauge, "Enrolled workloads that a policy protects.")
        for policy in meters.policies {
            let labels = [
                ("policy_kind", policy.policy.kind.rawValue),
                ("policy_namespace", policy.policy.namespace), ("policy", policy.policy.name),
            ]
            writer.sample(protected, labels, policy.workloadCount)
        }
    }

    private func writeMaps(to writer: inout MetricsWriter) {
        let families: [(String, MetricsWriter.Kind, String, (MapSnapshot) -> UInt64?)] = [
            ("kmesh_map_entries", .gauge, "Entries of a BPF map.", \.entries),
            ("kmesh_map_capacity", .gauge, "Entries that fit into a BPF map.", \.capacity),
            ("kmesh_map_memory_bytes", .gauge, "Kernel memory of a BPF map.", \.bytes),
            (
                "kmesh_map_evictions_total", .counter, "Entries that a full BPF map dropped for newer ones.",
                \.evictions
            ),
        ]
        for (name, kind, help, value) in families {
            writer.family(name, kind, help)
            for map in maps {
                if let number = value(map) { writer.sample(name, [("map", map.name)], number) }
            }
        }
    }

    /// Engine, authorization and telemetry have a map of counters each, by one name.
    private var maps: [MapSnapshot] {
        var known: [String: MapSnapshot] = [:]
        for map in meters.maps {
            known[map.name, default: map].bytes += known[map.name] == nil ? 0 : map.bytes
        }
        return known.values.sorted { $0.name < $1.name }
    }

    private func writePrograms(to writer: inout MetricsWriter) {
        let (runs, seconds) = ("kmesh_bpf_program_runs_total", "kmesh_bpf_program_run_seconds_total")
        let note = "counted only with --enable-bpf-stats."
        writer.family(runs, .counter, "How often a BPF program ran, \(note)")
        for use in meters.programs { writer.sample(runs, [("program", use.name)], use.runs) }
        writer.family(seconds, .counter, "How long a BPF program ran in all, \(note)")
        for use in meters.programs {
            writer.sample(seconds, [("program", use.name)], Double(use.nanoseconds) / 1e9)
        }
    }

    private func writeConfiguration(to writer: inout MetricsWriter) {
        let counters: [(String, String, UInt64)] = [
            ("kmesh_config_updates_total", "Configurations that were applied.", status.updates),
            (
                "kmesh_config_rejected_resources_total", "Resources that were refused (NACK).",
                status.rejected
            ),
            (
                "kmesh_config_errors_total", "Configurations that could not be read.",
                status.badConfigurations
            ),
            ("kmesh_map_writes_total", "Entries written to maps or removed.", status.engine.writes),
        ]
        for (name, help, value) in counters {
            writer.family(name, .counter, help)
            writer.sample(name, [], value)
        }
        let gauges: [(String, String, UInt64)] = [
            (
                "kmesh_config_version", "Of the configuration in force, counted from the start.",
                status.engine.applied
            ),
            ("kmesh_map_writes_pending", "Entries that wait to be written.", status.engine.pendingWrites),
            ("kmesh_enrolled_workloads", "Pods whose traffic is steered.", status.enrolled),
        ]
        for (name, help, value) in gauges {
            writer.family(name, .gauge, help)
            writer.sample(name, [], value)
        }
        let drift = "kmesh_drift_repaired_total"
        writer.family(
            drift, .counter, "Entries of maps, and hooks, that others had changed and that were put right.")
        let repaired = status.engine.driftByMap
        for map in Set(maps.map(\.name)).union(["hooks"]).union(repaired.keys).sorted() {
            writer.sample(drift, [("map", map)], repaired[map] ?? 0)
        }
        let apply = "kmesh_config_apply_seconds"
        writer.family(apply, .histogram, "From a configuration's arrival until it is in the maps.")
        writer.histogram(
            apply, [], bounds: Histogram.bounds.map { "\($0)" }, counts: applyTimes.counts,
            sum: applyTimes.sum)
    }

    private func writeProcess(to writer: inout MetricsWriter) {
        writer.family("process_cpu_seconds_total", .counter, "CPU time of the daemon.")
        writer.sample("process_cpu_seconds_total", [], process.processorSeconds)
        writer.family("process_resident_memory_bytes", .gauge, "Resident memory of the daemon.")
        writer.sample("process_resident_memory_bytes", [], process.residentMemory)
        writer.family("process_virtual_memory_bytes", .gauge, "Virtual memory of the daemon.")
        writer.sample("process_virtual_memory_bytes", [], process.virtualMemory)
        writer.family("process_open_fds", .gauge, "Open descriptors of the daemon.")
        writer.sample("process_open_fds", [], process.openDescriptors)
        writer.family("process_start_time_seconds", .gauge, "When the daemon was started, since 1970.")
        writer.sample("process_start_time_seconds", [], started.seconds)
    }
}
