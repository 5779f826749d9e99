// Policies and connections as tests write them.
import KmeshKit
import Testing

func block(_ text: String) throws -> IPBlock {
    try #require(IPBlock(text), "\(text)")
}

func identity(_ account: String, in namespace: String = "default") -> WorkloadIdentity {
    WorkloadIdentity(namespace: namespace, serviceAccount: account)
}

func connection(
    from source: String = "10.0.0.1", as identity: WorkloadIdentity? = identity("client"),
    to destination: String = "10.0.0.9", port: UInt16 = 8080
) throws -> PolicyConnection {
    PolicyConnection(
        source: try #require(IPAddress(source)), identity: identity,
        destination: try #require(IPAddress(destination)), port: port)
}

func request(
    _ method: String = "GET", _ path: String = "/", host: String = "web", headers: [String: String] = [:]
) -> PolicyRequest {
    PolicyRequest(host: host, method: method, path: path) { headers[$0] }
}

func match(_ change: (inout PolicyMatch) throws -> Void) rethrows -> PolicyMatch {
    var match = PolicyMatch()
    try change(&match)
    return match
}

func requestMatch(_ change: (inout RequestMatch) throws -> Void) rethrows -> PolicyMatch {
    var request = RequestMatch()
    try change(&request)
    return match { $0.request = request }
}

func policy(
    _ name: String = "p", _ action: PolicyAction = .allow, dryRun: Bool = false,
    rules: [[[PolicyMatch]]]
) -> AuthorizationPolicy {
    AuthorizationPolicy(
        key: PolicyKey(namespace: "default", name: name), action: action, isDryRun: dryRun,
        rules: rules.map { PolicyRule(clauses: $0) })
}

func principal(_ pattern: String) -> PolicyMatch {
    match { $0.principals.any = [StringMatch(pattern)] }
}

func port(_ number: UInt16) -> PolicyMatch {
    match { $0.destinationPorts.any = [number] }
}
