/// Finds targets by what metadata conveys. A destination that is not here is never connected to.
internal import KmeshKit

struct TargetIndex: Sendable {
    /// By number; `vacant` where one was removed.
    private(set) var targets: [Target] = []
    /// Of services' ports, by the targets' numbers.
    private var addresses: [[SocketAddress]] = []
    private var free: [Int32] = []
    private var backends: [BackendReference: Int32] = [:]
    private var services = ClaimTable<SocketAddress>()
    private var workloads = ClaimTable<IPAddress>()
    /// By the short form that fits into a SYN.
    private var shortForms = ClaimTable<UInt32>()

    init() {}

    private static let vacant = Target(
        kind: .workload(uid: ""), applicationProtocol: .detect, cluster: -1, table: nil)

    var count: Int { targets.count - free.count }

    /// `addresses` may be empty: a listener may belong to a service that nobody can dial.
    @discardableResult
    mutating func insert(_ target: Target, at addresses: [SocketAddress]) -> Int32 {
        let number = place(target, at: addresses)
        if case .service(let backend) = target.kind { backends[backend] = number }
        for address in addresses {
            services.claim(address, for: number)
            shortForms.claim(DestinationHash.of(address), for: number)
        }
        return number
    }

    @discardableResult
    mutating func insert(workload target: Target, at addresses: [IPAddress]) -> Int32 {
        let number = place(target, at: [])
        for address in addresses { workloads.claim(address, for: number) }
        return number
    }

    /// `addresses` are those that it was inserted at.
    mutating func remove(_ number: Int32, from addresses: [SocketAddress]) {
        for address in addresses {
            services.release(address, from: number)
            shortForms.release(DestinationHash.of(address), from: number)
        }
        if case .service(let backend) = targets[Int(number)].kind { backends[backend] = nil }
        vacate(number)
    }

    mutating func remove(workload number: Int32, from addresses: [IPAddress]) {
        for address in addresses { workloads.release(address, from: number) }
        vacate(number)
    }

    /// Gives a target that stays at its addresses another meaning.
    mutating func replace(_ number: Int32, with target: Target) { targets[Int(number)] = target }

    func find(_ destination: SocketAddress) -> Int32? {
        services.owner(of: destination) ?? workloads.owner(of: destination.address)
    }

    /// `nil` also where several addresses share the form.
    func find(shortForm: UInt32) -> Int32? { shortForms.soleOwner(of: shortForm) }

    /// What the short form of an address of the target stands for.
    func address(ofShortForm short: UInt32, target number: Int32) -> SocketAddress? {
        addresses[Int(number)].first { DestinationHash.of($0) == short }
    }

    func find(_ backend: BackendReference) -> Int32? { backends[backend] }

    private mutating func vacate(_ number: Int32) {
        targets[Int(number)] = Self.vacant
        addresses[Int(number)] = []
        free.append(number)
    }

    private mutating func place(_ target: Target, at addresses: [SocketAddress]) -> Int32 {
        if let number = free.popLast() {
            targets[Int(number)] = target
            self.addresses[Int(number)] = addresses
            return number
        }
        targets.append(target)
        self.addresses.append(addresses)
        return Int32(targets.count - 1)
    }
}

/// Who something belongs to; where several claim it, the first, and the next one when that lets go.
struct ClaimTable<Key: Hashable & Sendable>: Sendable {
    private var owners: [Key: Int32] = [:]
    private var waiting: [Key: [Int32]] = [:]

    init() {}

    mutating func claim(_ key: Key, for number: Int32) {
        if owners[key] == nil {
            owners[key] = number
        } else {
            waiting[key, default: []].append(number)
        }
    }

    mutating func release(_ key: Key, from number: Int32) {
        if owners[key] == number {
            owners[key] = waiting[key]?.removeFirst()
        } else if let place = waiting[key]?.firstIndex(of: number) {
            waiting[key]?.remove(at: place)
        }
        if waiting[key]?.isEmpty == true { waiting[key] = nil }
    }

    func owner(of key: Key) -> Int32? { owners[key] }

    /// `nil` also where several claim it.
    func soleOwner(of key: Key) -> Int32? { waiting[key] == nil ? owners[key] : nil }
}
