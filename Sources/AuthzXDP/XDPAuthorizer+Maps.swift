internal import CKmeshABI
public import KmeshKit

/// What authorization was given and has in the kernel, for people.
extension XDPAuthorizer {
    public func configuration() async -> [MeshResource] { running?.dataplane.configuration ?? [] }

    public func dumpableMaps() async -> [DumpableMap] {
        guard let running else { return [] }
        return running.dataplane.dumpableMaps + running.kernel.dumpableMaps
    }
}

extension AuthzKernel {
    /// The maps that are not the data plane's.
    fileprivate var dumpableMaps: [DumpableMap] {
        let kernel = self
        return [
            .rows(KMESH_MAP_AUTHZ_SWITCH) { () throws(MapError) in
                [MapDump.Row(["switch": 0], ["enforcing": .bool(try kernel.isEnforcing())])]
            },
            .reasons(KMESH_MAP_REASON, VerdictReason.authorization, reasons),
            .rows(KMESH_MAP_AUTHZ_CHAIN) { () throws(MapError) in try kernel.chainRows() },
            .rows(KMESH_MAP_AUTHZ_PACE, note: "denials that each CPU wrote in its latest second of any") {
                () throws(MapError) in try kernel.paceRows()
            },
            .hidden(
                KMESH_MAP_AUTHZ_EVENT,
                "denials on their way to the log; reading them here would take them away from it"),
            .hidden(
                KMESH_MAP_AUTHZ_FLOW,
                "what a CPU notes while it decides on one packet; nothing of it lasts"),
        ]
    }

    private func chainRows() throws(MapError) -> [MapDump.Row] {
        let steps = [
            (KMESH_AUTHZ_STEP_VIEW, "view"), (KMESH_AUTHZ_STEP_MATCH, "match"),
            (KMESH_AUTHZ_STEP_VERDICT, "verdict"),
        ]
        var rows: [MapDump.Row] = []
        for (step, name) in steps {
            guard let program = try chainSteps.words(at: step.rawValue, count: 1) else { continue }
            rows.append(MapDump.Row(["step": .string(name)], ["programId": JSONValue(program[0])]))
        }
        return rows
    }

    private func paceRows() throws(MapError) -> [MapDump.Row] {
        let cpus = reasons.cpuCount
        // `struct kmesh_authz_pace` of each CPU: second (2 words), events, suppressed.
        guard let words = try pace.words(at: 0, count: 4 * cpus) else { return [] }
        return (0..<cpus).map { cpu in
            let own = words[(4 * cpu)..<(4 * cpu + 4)]
            let second = UInt64(own[4 * cpu]) | UInt64(own[4 * cpu + 1]) << 32
            return MapDump.Row(
                ["cpu": JSONValue(cpu)],
                [
                    "second": JSONValue(second), "events": JSONValue(own[4 * cpu + 2]),
                    "suppressed": JSONValue(own[4 * cpu + 3]),
                ])
        }
    }
}
