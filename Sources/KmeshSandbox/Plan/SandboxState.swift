/// What a sandbox has given out: settings, addresses, names. Written at each step, so that the next command,
/// or the one after a crash, knows it.
public import KmeshKit
internal import KmeshYAML

struct SandboxState: Hashable, Sendable {
    var settings: SandboxSettings
    /// That `up` has reached its end.
    var isUp = false
    var pods: [PodRecord] = []
    /// By `namespace/name`.
    var services: [String: [IPAddress]] = [:]
    /// Where to look for the next pod's number.
    var nextNumber = 0
    /// Grows with each pod, so that a pod that comes again under its old name is another pod.
    var serial = 0

    struct PodRecord: Hashable, Sendable {
        var namespace: String
        var name: String
        /// `Deployment default/reviews`
        var set: String
        var ordinal: Int
        var node: String
        var addresses: [IPAddress]
        var uid: String
        /// It serves, and the mesh knows it.
        var isServing = false
        var isEnrolled = false

        var key: String { "\(namespace)/\(name)" }
        /// Name of its files and its cgroup: an underscore is in no Kubernetes name.
        var fileName: String { "\(namespace)_\(name)" }
    }
}

/// How a sandbox was made.
public struct SandboxSettings: Hashable, Sendable {
    public var families: [AddressFamily]
    /// The daemon's node; empty: the file's first.
    public var nodeName: String
    /// `nil`: no daemon.
    public var daemonPath: String?
    public var daemonArguments: [String]

    public init(
        families: [AddressFamily] = [.v4, .v6], nodeName: String = "", daemonPath: String? = nil,
        daemonArguments: [String] = []
    ) {
        self.families = families
        self.nodeName = nodeName
        self.daemonPath = daemonPath
        self.daemonArguments = daemonArguments
    }
}

extension SandboxState {
    /// Takes in the file: settles the node's name and gives each service its addresses.
    mutating func adopt(_ plan: SandboxPlan) throws(SandboxError) {
        if settings.nodeName.isEmpty { settings.nodeName = plan.nodes[0].name }
        guard plan.nodes.contains(where: { $0.name == settings.nodeName }) else {
            let names = plan.nodes.map(\.name).joined(separator: ", ")
            throw SandboxError("there is no Node \(settings.nodeName); the file has \(names)")
        }
        var owners: [IPAddress: String] = [:]
        for service in plan.services {
            for address in service.fixedAddresses {
                if let owner = owners.updateValue(service.key, forKey: address) {
                    throw service.object.wrong("clusterIP \(address) is also that of \(owner)")
                }
                guard AddressPlan.pods.number(of: address) == nil else {
                    throw service.object.wrong("clusterIP \(address) lies among the addresses of pods")
                }
            }
        }
        var taken = Set(owners.keys.compactMap(AddressPlan.services.number(of:)))
        for service in plan.services where service.kind == .clustered {
            services[service.key] = try addresses(for: service, &taken)
        }
    }

    /// One number for both families, unless the file names an address.
    private func addresses(
        for service: ServicePlan, _ taken: inout Set<Int>
    ) throws(SandboxError) -> [IPAddress] {
        var number: Int?
        var addresses: [IPAddress] = []
        for family in service.families {
            if let fixed = service.fixedAddresses.first(where: { $0.family == family }) {
                addresses.append(fixed)
                continue
            }
            if number == nil {
                number = AddressPlan.free(from: taken.count + 1, in: AddressPlan.serviceNumbers, taken: taken)
                if let number { taken.insert(number) }
            }
            guard let number else { throw service.object.wrong("all service addresses are taken") }
            addresses.append(AddressPlan.services.address(number, family))
        }
        return addresses
    }

    /// Records of pods that are missing until `set` has `count` pods. They do not exist yet.
    mutating func addPods(of set: PodSet, count: Int, _ plan: SandboxPlan) throws(SandboxError) -> [PodRecord]
    {
        let present = Set(pods.filter { $0.set == set.title }.map(\.ordinal))
        var added: [PodRecord] = []
        var ordinal = 0
        while present.count + added.count < count {
            defer { ordinal += 1 }
            if present.contains(ordinal) { continue }
            let record = try record(set, ordinal, plan)
            pods.append(record)
            added.append(record)
        }
        return added
    }

    /// The pods that go when `set` is to have `count`, the youngest first.
    func surplus(of set: PodSet, count: Int) -> [PodRecord] {
        let present = pods.filter { $0.set == set.title }.sorted { $0.ordinal > $1.ordinal }
        return Array(present.prefix(max(0, present.count - count)))
    }

    private mutating func record(
        _ set: PodSet, _ ordinal: Int, _ plan: SandboxPlan
    ) throws(SandboxError) -> PodRecord {
        let node = try plan.node(for: set, ordinal: ordinal)
        let number: Int
        if set.template.usesHostNetwork {
            number = node.number
        } else {
            guard pods.count < AddressPlan.podLimit,
                let free = AddressPlan.free(from: nextNumber, in: AddressPlan.podNumbers, taken: takenNumbers)
            else { throw SandboxError("\(set.title): a sandbox has room for \(AddressPlan.podLimit) pods") }
            number = free
            nextNumber = free + 1
        }
        let record = PodRecord(
            namespace: set.namespace, name: set.podName(ordinal), set: set.title, ordinal: ordinal,
            node: node.name,
            addresses: settings.families.map { AddressPlan.pods.address(number, $0) },
            uid: nextUID(set, ordinal))
        if let other = pods.first(where: { $0.key == record.key }) {
            throw SandboxError(
                "line \(set.line): \(set.title) and \(other.set) both have a pod \(record.key)")
        }
        return record
    }

    private var takenNumbers: Set<Int> {
        Set(pods.flatMap(\.addresses).compactMap(AddressPlan.pods.number(of:)))
    }

    /// In the form of a UUID.
    private mutating func nextUID(_ set: PodSet, _ ordinal: Int) -> String {
        serial += 1
        let words = [fnv("\(set.title)/\(ordinal)/\(serial)"), fnv("\(serial)/\(set.title)")]
        let digits = words.map { hexadecimal($0, digits: 16) }.joined()
        let cuts = [0, 8, 12, 16, 20, 32]
        return zip(cuts, cuts.dropFirst()).map { digits.dropFirst($0).prefix($1 - $0) }.joined(separator: "-")
    }
}

func hexadecimal(_ number: UInt64, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
