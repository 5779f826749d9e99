// The fields of Istio's security kinds.

extension Schema {
    static let authorizationPolicy = kind(
        ignored: "status",
        [
            "spec": .object(
                Schema(
                    read: "action",
                    nested: [
                        "selector": .object(Schema(read: "matchLabels")),
                        "targetRef": .object(target),
                        "targetRefs": .list(target),
                        "rules": .list(policyRule),
                        "provider": .unsupported("nobody else is asked; use action ALLOW or DENY"),
                    ]))
        ])

    private static let target = Schema(read: "group kind name namespace")

    private static let policyRule = Schema(nested: [
        "from": .list(Schema(nested: ["source": .object(source)])),
        "to": .list(
            Schema(nested: [
                "operation": .object(
                    Schema(read: "hosts notHosts ports notPorts methods notMethods paths notPaths"))
            ])),
        "when": .list(Schema(read: "key values notValues")),
    ])

    private static let source = Schema(
        read: """
            principals notPrincipals requestPrincipals notRequestPrincipals namespaces notNamespaces ipBlocks
            notIpBlocks remoteIpBlocks notRemoteIpBlocks serviceAccounts notServiceAccounts
            """,
        nested: [
            "trustDomains": .unsupported("use principals, such as cluster.local/*"),
            "notTrustDomains": .unsupported("use notPrincipals, such as cluster.local/*"),
        ])

    static let peerAuthentication = kind(
        ignored: "status",
        [
            "spec": .object(
                Schema(nested: [
                    "selector": .object(Schema(read: "matchLabels")),
                    "mtls": .object(Schema(read: "mode")),
                    "portLevelMtls": .map(Schema(read: "mode")),
                ]))
        ])
}
