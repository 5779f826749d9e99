// Envoy's messages, and those of Kmesh's static form, which are a part of them.

extension MessageSchema {
    private static let noRuntime = "only this file is read: write listeners, routes and clusters in it"

    static let document = MessageSchema(
        "the document", read: ["staticResources"],
        harmless: [
            "node", "admin", "statsSinks", "statsConfig", "statsFlushInterval", "layeredRuntime",
            "overloadManager", "clusterManager", "tracing", "watchdog", "watchdogs", "flagsPath",
            "headerPrefix", "enableDispatcherStats", "statsServerVersionOverride", "applicationLogConfig",
        ],
        refused: [
            "dynamicResources": noRuntime, "hdsConfig": noRuntime, "configSources": noRuntime,
            "defaultConfigSource": noRuntime, "bootstrapExtensions": "remove it",
            "listenerManager": "remove it", "useTcpForDnsLookups": "names are not resolved",
        ])

    static let resources = MessageSchema(
        "staticResources",
        read: ["listeners", "listenerConfigs", "clusters", "clusterConfigs", "routes", "routeConfigs"],
        harmless: ["versionInfo"],
        refused: ["secrets": "TLS is not terminated here"])

    /// Kmesh's own form and `core.v3.Address` in one.
    static let address = MessageSchema(
        "an address", read: ["port", "ipv4", "protocol", "socketAddress"],
        refused: [
            "pipe": "use an IP address and a port", "envoyInternalAddress": "use an IP address and a port",
        ])

    static let socketAddress = MessageSchema(
        "a socket address", read: ["address", "portValue", "protocol"],
        refused: [
            "namedPort": "use portValue", "resolverName": "names are not resolved",
            "ipv4Compat": "write a listener for 0.0.0.0 too", "networkNamespaceFilepath": "remove it",
        ])

    static let addressPrefix = MessageSchema("a prefix", read: ["addressPrefix", "prefixLen"])

    static let listener = MessageSchema(
        "a listener",
        read: [
            "apiStatus", "name", "address", "filterChains", "defaultFilterChain", "listenerFilters",
        ],
        harmless: [
            "statPrefix", "accessLog", "perConnectionBufferLimitBytes", "listenerFiltersTimeout",
            "continueOnListenerFiltersTimeout", "trafficDirection", "enableReusePort", "reusePort",
            "tcpBacklogSize", "metadata", "bindToPort", "socketOptions", "freebind", "transparent",
            "enableMptcp", "ignoreGlobalConnLimit", "drainType", "tcpFastOpenQueueLength",
            "connectionBalanceConfig", "maxConnectionsToAcceptPerSocketEvent",
            "bypassOverloadManager",
        ],
        refused: [
            "useOriginalDst": "a listener takes what is dialed at its own address: write more listeners",
            "additionalAddresses": "write a listener for each", "filterChainMatcher": "use filterChainMatch",
            "fcdsConfig": noRuntime, "udpListenerConfig": "only TCP is routed", "apiListener": "remove it",
            "internalListener": "remove it",
        ])

    static let listenerFilter = MessageSchema(
        "a listener filter", read: ["name"], harmless: ["typedConfig"],
        refused: ["configDiscovery": noRuntime, "filterDisabled": "remove the filter or the condition"])

    static let filterChain = MessageSchema(
        "a filter chain", read: ["name", "filterChainMatch", "filters"],
        harmless: ["metadata", "transportSocketConnectTimeout"],
        refused: [
            "transportSocket": "TLS is not terminated here", "tlsContext": "TLS is not terminated here",
            "useProxyProto": "remove it", "onDemandConfiguration": noRuntime,
        ])

    static let filterChainMatch = MessageSchema(
        "a filter chain's match",
        read: [
            "destinationPort", "transportProtocol", "applicationProtocols", "sourcePrefixRanges",
            "directSourcePrefixRanges", "sourceType",
        ],
        refused: [
            "prefixRanges": "write a listener for each address", "addressSuffix": "use sourcePrefixRanges",
            "suffixLen": "remove it", "serverNames": "names in TLS are not looked at",
            "sourcePorts": "ports of clients are not looked at",
        ])

    static let filter = MessageSchema(
        "a filter", read: ["name", "typedConfig", "httpConnectionManager", "tcpProxy"],
        refused: ["configDiscovery": noRuntime])

    static let tcpProxy = MessageSchema(
        "a TCP proxy", read: ["@type", "cluster", "weightedClusters", "hashPolicy"],
        harmless: [
            "statPrefix", "idleTimeout", "accessLog", "accessLogOptions", "accessLogFlushInterval",
            "flushAccessLogOnConnected", "maxConnectAttempts", "backoffOptions",
        ],
        refused: [
            "metadataMatch": "use clusters", "tunnelingConfig": "bytes are passed as they are",
            "onDemand": noRuntime, "maxDownstreamConnectionDuration": "connections are not ended",
            "proxyProtocolTlvs": "bytes are passed as they are",
            "upstreamConnectMode": "the connection is made at once",
        ])
}

extension MessageSchema {
    private static let asItIs = "a request is passed as it is"

    static let httpManager = MessageSchema(
        "an HTTP connection manager",
        read: [
            "@type", "routeConfigName", "rds", "routeConfig", "commonHttpProtocolOptions",
            "requestHeadersTimeout", "httpFilters", "codecType", "pathWithEscapedSlashesAction",
        ],
        harmless: [
            "statPrefix", "accessLog", "accessLogOptions", "tracing", "useRemoteAddress",
            "xffNumTrustedHops", "generateRequestId", "serverName", "serverHeaderTransformation",
            "stripMatchingHostPort", "stripAnyHostPort", "preserveExternalRequestId", "upgradeConfigs",
            "forwardClientCertDetails", "setCurrentClientCertDetails", "skipXffAppend", "via",
            "appendXForwardedPort", "localReplyConfig", "drainTimeout", "delayedCloseTimeout",
            "requestTimeout", "streamIdleTimeout", "streamFlushTimeout", "maxRequestHeadersKb",
            "http2ProtocolOptions", "httpProtocolOptions", "http3ProtocolOptions", "proxyStatusConfig",
            "schemeHeaderTransformation", "internalAddressConfig", "requestIdExtension",
            "typedHeaderValidationConfig", "addUserAgent", "proxy100Continue",
            "alwaysSetRequestIdInResponse", "streamErrorOnInvalidHttpMessage",
            "representIpv4RemoteAddressAsIpv4MappedIpv6",
            "appendLocalOverload", "addProxyProtocolConnectionState",
        ],
        refused: [
            "scopedRoutes": "use routeConfig or rds", "normalizePath": "paths are compared as they are",
            "mergeSlashes": "paths are compared as they are",
            "pathNormalizationOptions": "paths are compared as they are",
            "stripTrailingHostDot": "hosts are compared as they are",
            "earlyHeaderMutationExtensions": asItIs,
            "originalIpDetectionExtensions": "the client is who dials",
        ])

    static let httpOptions = MessageSchema(
        "HTTP options", read: ["idleTimeout"],
        harmless: [
            "maxConnectionDuration", "maxHeadersCount", "maxResponseHeadersKb", "maxStreamDuration",
            "headersWithUnderscoresAction", "maxRequestsPerConnection",
        ])

    static let rds = MessageSchema("rds", read: ["routeConfigName"], harmless: ["configSource"])

    static let httpFilter = MessageSchema(
        "an HTTP filter", read: ["name", "typedConfig"], harmless: ["isOptional"],
        refused: ["configDiscovery": "remove the filter", "disabled": "remove the filter"])

    static let routeConfiguration = MessageSchema(
        "a route configuration", read: ["apiStatus", "name", "virtualHosts"],
        harmless: [
            "validateClusters", "internalOnlyHeaders", "mostSpecificHeaderMutationsWins",
            "maxDirectResponseBodySizeBytes", "ignorePortInHostMatching", "metadata",
        ],
        refused: headerChanges.merging([
            "vhds": "write virtualHosts", "requestMirrorPolicies": "remove it",
            "typedPerFilterConfig": "remove it", "clusterSpecifierPlugins": "use clusters",
            "ignorePathParametersInPathMatching": "paths are compared as they are",
        ]) { old, _ in old })

    static let virtualHost = MessageSchema(
        "a virtual host", read: ["name", "domains", "routes", "requireTls"],
        harmless: [
            "metadata", "virtualClusters", "includeRequestAttemptCount", "includeAttemptCountInResponse",
            "includeIsTimeoutRetryHeader", "perRequestBufferLimitBytes", "requestBodyBufferLimit",
        ],
        refused: headerChanges.merging([
            "rateLimits": "remove it", "cors": "remove it", "typedPerFilterConfig": "remove it",
            "retryPolicy": "write it into each route", "retryPolicyTypedConfig": "use retryPolicy in routes",
            "hedgePolicy": "remove it", "requestMirrorPolicies": "remove it", "matcher": "use routes",
        ]) { old, _ in old })

    static let route = MessageSchema(
        "a route", read: ["name", "match", "route", "redirect", "directResponse"],
        harmless: [
            "metadata", "decorator", "statPrefix", "tracing", "perRequestBufferLimitBytes",
            "requestBodyBufferLimit",
        ],
        refused: headerChanges.merging([
            "typedPerFilterConfig": "remove it", "filterAction": "use route",
            "nonForwardingAction": "use route",
        ]) { old, _ in old })

    static let headerChanges = [
        "requestHeadersToAdd": asItIs, "requestHeadersToRemove": asItIs,
        "responseHeadersToAdd": "responses are passed as they are",
        "responseHeadersToRemove": "responses are passed as they are",
    ]
}

extension MessageSchema {
    static let routeMatch = MessageSchema(
        "a route's match",
        read: [
            "prefix", "path", "safeRegex", "pathSeparatedPrefix", "caseSensitive", "headers",
            "queryParameters",
        ],
        refused: [
            "connectMatcher": "CONNECT is not routed", "pathMatchPolicy": "use prefix or path",
            "runtimeFraction": "use weightedClusters", "grpc": "use prefix or path",
            "tlsContext": "remove it",
            "dynamicMetadata": "use headers", "filterState": "use headers", "cookies": "use headers",
            "regex": "use safeRegex",
        ])

    static let regex = MessageSchema("a pattern", read: ["regex"], harmless: ["googleRe2"])

    static let headerMatch = MessageSchema(
        "a header's match",
        read: [
            "name", "exactMatch", "safeRegexMatch", "presentMatch", "prefixMatch", "suffixMatch",
            "containsMatch", "stringMatch", "invertMatch", "treatMissingHeaderAsEmpty",
        ],
        refused: ["rangeMatch": "use stringMatch", "regexMatch": "use safeRegexMatch"])

    static let queryMatch = MessageSchema(
        "a query parameter's match", read: ["name", "stringMatch", "presentMatch"])

    static let stringMatch = MessageSchema(
        "a string's match", read: ["exact", "prefix", "suffix", "contains", "safeRegex", "ignoreCase"],
        refused: ["custom": "use one of the others"])

    static let routeAction = MessageSchema(
        "a route's action",
        read: [
            "cluster", "weightedClusters", "timeout", "retryPolicy", "hashPolicy", "prefixRewrite",
            "hostRewriteLiteral", "hostRewrite", "priority",
        ],
        harmless: [
            "idleTimeout", "upgradeConfigs", "earlyDataPolicy", "includeVhRateLimits",
            "appendXForwardedHost", "clusterNotFoundResponseCode", "flushTimeout", "maxGrpcTimeout",
            "grpcTimeoutOffset",
            "maxStreamDuration",
        ],
        refused: [
            "clusterHeader": "use cluster", "clusterSpecifierPlugin": "use cluster",
            "inlineClusterSpecifierPlugin": "use cluster", "metadataMatch": "use cluster",
            "regexRewrite": asItIs, "pathRewritePolicy": asItIs, "pathRewrite": asItIs,
            "autoHostRewrite": asItIs, "hostRewriteHeader": asItIs, "hostRewritePathRegex": asItIs,
            "requestMirrorPolicies": "remove it", "rateLimits": "remove it", "cors": "remove it",
            "hedgePolicy": "remove it", "retryPolicyTypedConfig": "use retryPolicy",
            "internalRedirectPolicy": "responses are passed as they are",
        ])

    static let retryPolicy = MessageSchema(
        "a retry policy", read: ["numRetries", "retryOn", "retriableStatusCodes", "perTryTimeout"],
        harmless: [
            "perTryIdleTimeout", "retryHostPredicate", "hostSelectionRetryMaxAttempts", "retryBackOff",
            "rateLimitedRetryBackOff", "retryPriority", "retryOptionsPredicates",
        ],
        refused: [
            "retriableHeaders": "use retriableStatusCodes", "retriableRequestHeaders": "use several routes",
        ])

    static let hashPolicy = MessageSchema(
        "a hash policy", read: ["header", "connectionProperties"],
        refused: [
            "cookie": "use header", "queryParameter": "use header", "filterState": "use header",
            "terminal": "order the policies by their importance: the first that holds counts",
        ])

    static let tcpHashPolicy = MessageSchema(
        "a hash policy", read: ["sourceIp"], refused: ["filterState": "use sourceIp"])

    static let nothing = MessageSchema("it", read: [])

    static let hashHeader = MessageSchema(
        "a header to hash", read: ["headerName"], refused: ["regexRewrite": "the whole value is hashed"])

    static let connectionProperties = MessageSchema("connection properties", read: ["sourceIp"])

    static let weightedClusters = MessageSchema(
        "weighted clusters", read: ["clusters", "totalWeight"], harmless: ["runtimeKeyPrefix"],
        refused: [
            "headerName": "shares are by chance", "randomValueHeader": "shares are by chance",
            "useHashPolicy": "shares are by chance",
        ])

    static let weightedCluster = MessageSchema(
        "a weighted cluster", read: ["name", "weight"],
        refused: headerChanges.merging([
            "clusterHeader": "use name", "metadataMatch": "use clusters", "typedPerFilterConfig": "remove it",
            "hostRewriteLiteral": asItIs,
        ]) { old, _ in old })

    static let redirect = MessageSchema(
        "a redirect",
        read: [
            "httpsRedirect", "schemeRedirect", "hostRedirect", "portRedirect", "pathRedirect",
            "prefixRewrite", "responseCode",
        ],
        refused: ["regexRewrite": "use pathRedirect", "stripQuery": "remove it"])

    static let directResponse = MessageSchema(
        "a direct response", read: ["status"],
        refused: ["body": "remove it", "bodyFormat": "remove it"])
}

extension MessageSchema {
    static let cluster = MessageSchema(
        "a cluster",
        read: [
            "apiStatus", "name", "type", "lbPolicy", "loadAssignment", "connectTimeout", "circuitBreakers",
            "commonLbConfig", "typedExtensionProtocolOptions",
        ],
        harmless: [
            "id", "altStatName", "edsClusterConfig", "perConnectionBufferLimitBytes", "metadata",
            "httpProtocolOptions", "commonHttpProtocolOptions", "protocolSelection", "dnsLookupFamily",
            "dnsRefreshRate", "dnsFailureRefreshRate", "dnsJitter", "respectDnsTtl", "cleanupInterval",
            "upstreamConnectionOptions", "closeConnectionsOnHostHealthFailure", "ignoreHealthOnHostRemoval",
            "trackTimeoutBudgets", "trackClusterStats", "waitForWarmOnInit", "preconnectPolicy",
            "maxRequestsPerConnection", "lrsServer", "lrsReportEndpointMetrics", "maglevLbConfig",
            "ringHashLbConfig", "connectionPoolPerDownstreamConnection",
        ],
        refused: [
            "hosts": "use loadAssignment", "clusterType": "use type",
            "lbSubsetConfig": "use several clusters", "loadBalancingPolicy": "use lbPolicy",
            "transportSocket": "TLS is not originated here",
            "transportSocketMatches": "TLS is not originated here",
            "tlsContext": "TLS is not originated here", "healthChecks": "use healthStatus of endpoints",
            "outlierDetection": "use healthStatus of endpoints",
            "upstreamBindConfig": "the client's own address is used",
            "http2ProtocolOptions": "requests are passed as they are, in HTTP/1.1",
            "upstreamConfig": "remove it", "originalDstLbConfig": "remove it", "filters": "remove it",
            "leastRequestLbConfig": "the less busy of two is taken",
            "roundRobinLbConfig": "new endpoints are used at once",
        ])

    static let loadBalancing = MessageSchema(
        "common load balancing", read: ["localityWeightedLbConfig"],
        harmless: [
            "healthyPanicThreshold", "updateMergeWindow", "closeConnectionsOnHostSetChange",
            "ignoreNewHostsUntilFirstHc",
        ],
        refused: [
            "zoneAwareLbConfig": "use priorities", "consistentHashingLbConfig": "remove it",
            "overrideHostStatus": "remove it",
        ])

    static let loadAssignment = MessageSchema(
        "a load assignment", read: ["endpoints"], harmless: ["clusterName"],
        refused: [
            "namedEndpoints": "use endpoints", "policy": "all traffic goes to the best priority that serves",
        ])

    static let localityEndpoints = MessageSchema(
        "endpoints of a locality", read: ["locality", "lbEndpoints", "loadBalancingWeight", "priority"],
        harmless: ["metadata", "proximity", "connectNum"],
        refused: [
            "loadBalancerEndpoints": "use lbEndpoints", "ledsClusterLocalityConfig": "use lbEndpoints",
        ])

    static let locality = MessageSchema("a locality", read: ["region", "zone"], harmless: ["subZone"])

    static let endpoint = MessageSchema(
        "an endpoint", read: ["endpoint", "address", "healthStatus", "loadBalancingWeight"],
        harmless: ["metadata"], refused: ["endpointName": "use endpoint"])

    static let endpointPlace = MessageSchema(
        "an endpoint", read: ["address"], harmless: ["hostname", "healthCheckConfig"],
        refused: ["additionalAddresses": "write an endpoint for each"])

    private static let breakers: Set<String> = [
        "maxPendingRequests", "maxRequests", "maxRetries", "maxConnectionPools", "retryBudget",
        "trackRemaining",
    ]

    /// Kmesh's flat form and Envoy's.
    static let circuitBreakers = MessageSchema(
        "circuit breakers", read: ["thresholds", "maxConnections", "priority"], harmless: breakers,
        refused: ["perHostThresholds": "use thresholds"])

    static let threshold = MessageSchema(
        "a threshold", read: ["priority", "maxConnections"], harmless: breakers)
}
