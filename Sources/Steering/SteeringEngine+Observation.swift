internal import CKmeshABI
public import KmeshKit

/// What metrics and logs ask for.
extension SteeringEngine {
    public func meters() async -> EngineMeters {
        guard let running else { return EngineMeters() }
        var meters = running.kernel.meters(
            counts: running.dataplane.entryCounts, others: layer?.entriesByMap ?? [:])
        if let layer { meters.add(layer.meters()) }
        meters.add(await authorization.meters())
        return meters
    }

    public func parties(of questions: [ConnectionQuestion]) async -> [ConnectionParties] {
        guard let running else { return questions.map { _ in ConnectionParties() } }
        let pods = Dictionary(
            running.enrolled.values.map { ($0.networkNamespace.cookie, $0.pod) }, uniquingKeysWith: { $1 })
        return questions.map { running.dataplane.parties(of: $0, local: pods[$0.namespaceCookie]) }
    }

    public func vanished(among uids: Set<String>) async -> Set<String> {
        guard let running else { return [] }
        return uids.filter { !running.dataplane.hasWorkload($0) }
    }

    public func sharedMaps() async -> [String: SharedDescriptor] { running?.kernel.shared ?? [:] }
}
