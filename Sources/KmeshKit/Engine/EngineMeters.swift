/// What an engine counts and measures, as metrics have it: cheaper to read than a snapshot.
public struct EngineMeters: Sendable {
    public var reasons: [ReasonCount]
    public var maps: [MapSnapshot]
    public var programs: [ProgramUse]
    /// Those of authorization, with what they have denied.
    public var policies: [PolicySnapshot]

    public init(
        reasons: [ReasonCount] = [], maps: [MapSnapshot] = [], programs: [ProgramUse] = [],
        policies: [PolicySnapshot] = []
    ) {
        self.reasons = reasons
        self.maps = maps
        self.programs = programs
        self.policies = policies
    }

    /// Adds those of a part. Counts for the same reason are added up.
    public mutating func add(_ part: EngineMeters) {
        for reason in part.reasons {
            if let index = reasons.firstIndex(where: { $0.number == reason.number }) {
                reasons[index].count += reason.count
            } else {
                reasons.append(reason)
            }
        }
        maps += part.maps
        programs += part.programs
        policies += part.policies
    }
}
