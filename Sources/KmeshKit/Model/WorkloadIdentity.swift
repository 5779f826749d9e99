/// Who a workload is: the service account that it runs as.
public struct WorkloadIdentity: Hashable, Sendable {
    public var trustDomain: String
    public var namespace: String
    public var serviceAccount: String

    /// Istio's name for the trust domain of a mesh that has not chosen one.
    public static let defaultTrustDomain = "cluster.local"

    public init(
        trustDomain: String = WorkloadIdentity.defaultTrustDomain, namespace: String, serviceAccount: String
    ) {
        self.trustDomain = trustDomain
        self.namespace = namespace
        self.serviceAccount = serviceAccount
    }

    /// As policies name it: the SPIFFE id without its scheme.
    public var principal: String { "\(trustDomain)/ns/\(namespace)/sa/\(serviceAccount)" }
}
