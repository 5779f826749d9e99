/// What somebody asks to be enrolled or withdrawn.
public struct EnrollmentRequest: Hashable, Sendable {
    public static let defaultInterface = "eth0"

    public var pod: PodName
    public var uid: String?
    public var networkNamespacePath: String
    public var interface: String
    /// Empty: those of the interface.
    public var addresses: [IPAddress]
    public var cgroupPath: String?

    public init(
        pod: PodName, uid: String? = nil, networkNamespacePath: String, interface: String = defaultInterface,
        addresses: [IPAddress] = [], cgroupPath: String? = nil
    ) {
        self.pod = pod
        self.uid = uid
        self.networkNamespacePath = networkNamespacePath
        self.interface = interface
        self.addresses = addresses
        self.cgroupPath = cgroupPath
    }
}

extension EnrollmentRequest {
    /// Far above what a pod has: one node's networks, in both families.
    public static let addressLimit = 32

    /// Refuses what the state file should not have to hold.
    func checkBounds() throws(EnrollmentError) {
        try check("the uid", uid ?? "-", limit: 253)
        try check("the network namespace's path", networkNamespacePath, limit: 4095)
        // The kernel's limit for names of interfaces.
        try check("the interface", interface, limit: 15)
        try check("the cgroup's path", cgroupPath ?? "-", limit: 4095)
        guard networkNamespacePath.hasPrefix("/") else {
            throw .invalid(
                field: "the network namespace's path", problem: "must be absolute: \(networkNamespacePath)")
        }
        guard addresses.count <= Self.addressLimit else {
            throw .invalid(field: "the list of addresses", problem: "has more than \(Self.addressLimit)")
        }
        for address in addresses where address.isUnspecified || address.isLoopback {
            throw .invalid(field: "address \(address)", problem: "is no address of a pod")
        }
    }

    private func check(_ field: String, _ text: String, limit: Int) throws(EnrollmentError) {
        guard (1...limit).contains(text.utf8.count) else {
            throw .invalid(field: field, problem: "must have 1 to \(limit) bytes, and has \(text.utf8.count)")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw .invalid(field: field, problem: "has control characters")
        }
    }
}

public enum WithdrawalRequest: Hashable, Sendable, CustomStringConvertible {
    case pod(PodName)
    case id(LocalWorkload.ID)

    public var description: String {
        switch self {
        case .pod(let pod): "pod \(pod)"
        case .id(let id): "pod with uid \(id)"
        }
    }
}
