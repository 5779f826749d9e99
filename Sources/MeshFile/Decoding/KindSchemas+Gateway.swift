// The fields of the kinds of the Gateway API.

extension Schema {
    static let gateway = kind([
        "spec": .object(
            Schema(
                read: "gatewayClassName", ignored: "infrastructure tls",
                nested: [
                    "addresses": .list(Schema(read: "type value")),
                    "listeners": .list(listener),
                    "allowedListeners": .unsupported("put the listeners into the Gateway itself"),
                ])),
        "status": .object(
            Schema(
                ignored: "conditions listeners attachedListenerSets",
                nested: ["addresses": .list(Schema(read: "type value"))])),
    ])

    private static let listener = Schema(
        read: "name hostname port protocol", ignored: "tls",
        nested: [
            "allowedRoutes": .object(
                Schema(nested: [
                    "kinds": .list(Schema(read: "group kind")),
                    "namespaces": .object(
                        Schema(
                            read: "from", nested: ["selector": .unsupported("use from: Same or from: All")])),
                ]))
        ])

    static let referenceGrant = kind(
        ignored: "status",
        [
            "spec": .object(
                Schema(nested: [
                    "from": .list(Schema(read: "group kind namespace")),
                    "to": .list(Schema(read: "group kind name")),
                ]))
        ])
}
