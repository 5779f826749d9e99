/// The configuration that new requests go by, and older ones as long as a request goes by them.
internal import KmeshKit

struct ConfigurationHistory {
    private var configurations: [WaypointConfiguration?]
    /// Exchanges that go by each.
    private var uses: [Int32]
    private(set) var current: Int32 = 0
    /// Rises with each configuration: numbers of targets hold for one only.
    private(set) var epoch: UInt32 = 1
    /// For each listener, the target that everything belongs to; -1 without one.
    private(set) var listenerTargets: [Int32] = []
    /// Whether the latest has policies.
    private(set) var isProtected = false
    private let listeners: [WorkerListener]

    init(_ configuration: WaypointConfiguration, listeners: [WorkerListener]) {
        configurations = [configuration]
        uses = [0]
        self.listeners = listeners
        findTargets(configuration)
    }

    /// What new requests go by.
    var latest: WaypointConfiguration { self[current] }

    subscript(_ number: Int32) -> WaypointConfiguration {
        guard let configuration = configurations[Int(number)] else {
            preconditionFailure("a configuration is kept as long as it is used")
        }
        return configuration
    }

    @inline(__always)
    mutating func use() -> Int32 {
        uses[Int(current)] &+= 1
        return current
    }

    @inline(__always)
    mutating func release(_ number: Int32) {
        uses[Int(number)] &-= 1
        if uses[Int(number)] == 0, number != current { configurations[Int(number)] = nil }
    }

    mutating func replace(with new: WaypointConfiguration) {
        epoch &+= 1
        if uses[Int(current)] == 0 {
            configurations[Int(current)] = new
        } else if let free = configurations.firstIndex(where: { $0 == nil }) {
            configurations[free] = new
            current = Int32(free)
        } else {
            configurations.append(new)
            uses.append(0)
            current = Int32(configurations.count - 1)
        }
        findTargets(new)
    }

    private mutating func findTargets(_ configuration: WaypointConfiguration) {
        isProtected = configuration.authorization != nil
        listenerTargets = listeners.map { listener in
            guard case .servicePort(let backend) = listener.specification.kind else { return -1 }
            return configuration.targets.find(backend) ?? -1
        }
    }
}
