public import KmeshKit

/// A target in one address family: what L4 keeps under one id.
public struct ServicePortReference: Hashable, Sendable {
    public let backend: BackendReference
    public let family: AddressFamily

    public init(_ backend: BackendReference, _ family: AddressFamily) {
        (self.backend, self.family) = (backend, family)
    }
}

/// The service ports that are in force at L4 now.
public protocol ServicePorts {
    /// The id of a service's port or of a cluster; `nil` when it is not in force.
    func id(of reference: ServicePortReference) -> UInt32?

    /// The id of the service port that clients reach at the address and port; `nil`: they reach none.
    func owner(of frontend: FrontendKey) -> UInt32?
}
