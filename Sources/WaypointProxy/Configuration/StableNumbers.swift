/// Numbers for things that workers know by number: dense, from 0, and the same as long as a thing is there.
/// A number that was given back rests until many others were, so that what was counted under it is still told
/// by its old name for a while.
internal import KmeshKit
internal import Synchronization

struct StableNumbers<Key: Hashable & Sendable>: Sendable {
    private var numbers: [Key: Int32] = [:]
    private(set) var keys: [Key] = []
    private var retired: [Int32] = []
    /// How many retired numbers rest.
    private let rest: Int

    init(rest: Int = 4096) { self.rest = rest }

    /// One above the highest number.
    var limit: Int { keys.count }

    subscript(key: Key) -> Int32? { numbers[key] }

    mutating func number(of key: Key) -> Int32 {
        if let number = numbers[key] { return number }
        let number: Int32
        if retired.count > rest {
            number = retired.removeFirst()
            keys[Int(number)] = key
        } else {
            number = Int32(keys.count)
            keys.append(key)
        }
        numbers[key] = number
        return number
    }

    mutating func retire(_ key: Key) {
        if let number = numbers.removeValue(forKey: key) { retired.append(number) }
    }
}

/// What numbers in statistics stand for, for those who show them.
final class StatisticNames: Sendable {
    private let routes = Mutex(StableNumbers<String>())
    private let clusters = Mutex<[BackendReference]>([])
    private let policies: Mutex<StableNumbers<String>>

    init() {
        var numbers = StableNumbers<String>()
        let none = numbers.number(of: "none")
        precondition(none == PolicySet.noPolicy, "the first name is that of no policy")
        policies = Mutex(numbers)
    }

    func number(ofRoute name: String) -> Int32 { routes.withLock { $0.number(of: name) } }

    /// `name` is that of a policy with its namespace.
    func number(ofPolicy name: String) -> Int32 { policies.withLock { $0.number(of: name) } }

    func set(clusters names: [BackendReference]) { clusters.withLock { $0 = names } }

    /// By number.
    var routeNames: [String] { routes.withLock { $0.keys } }
    var clusterNames: [BackendReference] { clusters.withLock { $0 } }
    var policyNames: [String] { policies.withLock { $0.keys } }
}
