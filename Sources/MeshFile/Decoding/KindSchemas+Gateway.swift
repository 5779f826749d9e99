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

    // MARK: HTTPRoute

    static let httpRoute = kind(
        ignored: "status",
        [
            "spec": .object(
                Schema(
                    read: "hostnames",
                    nested: [
                        "parentRefs": .list(Schema(read: "group kind namespace name sectionName port")),
                        "rules": .list(rule),
                        "useDefaultGateways": .unsupported("name the Gateway in parentRefs"),
                    ]))
        ])

    private static let rule = Schema(
        read: "name",
        nested: [
            "matches": .list(match),
            "filters": .list(filter),
            "backendRefs": .list(
                Schema(
                    read: "group kind namespace name port weight", nested: ["filters": .list(filter)])),
            "timeouts": .object(Schema(read: "request backendRequest")),
            "retry": .object(Schema(read: "codes attempts backoff")),
            "sessionPersistence": .unsupported("use kmesh.net/upstream-load-balancing: source-hash"),
        ])

    private static let match = Schema(
        read: "method",
        nested: [
            "path": .object(Schema(read: "type value")),
            "headers": .list(Schema(read: "type name value")),
            "queryParams": .list(Schema(read: "type name value")),
        ])

    private static let headerModifier = Schema(
        read: "remove",
        nested: [
            "set": .list(Schema(read: "name value")),
            "add": .list(Schema(read: "name value")),
        ])

    private static let pathModifier = Schema(read: "type replaceFullPath replacePrefixMatch")

    private static let filter = Schema(
        read: "type",
        nested: [
            "requestHeaderModifier": .object(headerModifier),
            "responseHeaderModifier": .object(headerModifier),
            "requestRedirect": .object(
                Schema(read: "scheme hostname port statusCode", nested: ["path": .object(pathModifier)])),
            "urlRewrite": .object(Schema(read: "hostname", nested: ["path": .object(pathModifier)])),
            "requestMirror": .unsupported("remove the filter"),
            "cors": .unsupported("remove the filter"),
            "extensionRef": .unsupported("remove the filter"),
            "externalAuth": .unsupported("remove the filter"),
        ])
}
