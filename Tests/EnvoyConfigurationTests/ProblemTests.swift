import KmeshKit
import Testing

@testable import EnvoyConfiguration

/// Every mistake is said with its path and the remedy.
@Suite struct ProblemTests {
    @Test func aGoodDocumentHasNone() {
        #expect(problems(document()) == [])
    }

    @Test(arguments: badDocuments)
    func isSaid(_ text: String, _ expected: String) {
        #expect(problems(text) == [expected])
    }

    @Test func allAreSaidAtOnce() {
        let route = """
            {"match": {"prefix": "/", "heders": []}, "route": {"cluster": "d"}},
            {"match": {"prefix": "x"}, "route": {"cluster_header": "h"}}
            """
        let host = "staticResources.routeConfigs[0].virtualHosts[0]"
        #expect(
            problems(document(route: route, cluster: #"{"name": "c", "lbPolicy": "BEST"}"#)) == [
                "\(host).routes[0].match.heders: a route's match has no such field; did you mean headers?",
                "\(host).routes[1].match.prefix: must begin with a slash and be without ? and #, not \"x\"",
                "\(host).routes[1].route.cluster_header: is not supported: use cluster",
                """
                \(cluster).lbPolicy: must be one of ROUND_ROBIN, LEAST_REQUEST, RANDOM, MAGLEV, \
                RING_HASH, not "BEST"
                """,
                "\(host).routes[0].route.cluster: there is no cluster d: add it",
            ])
    }

    /// What is written into a listener has a name too.
    @Test func inlineRoutesKeepTheirNames() {
        let inline = #"{"name": "r", "virtualHosts": []}"#
        let chain = #"{"filters": [{"httpConnectionManager": {"routeConfig": \#(inline)}}]}"#
        let host = #"{"domains": ["*"]}]}, {"name": "l/0/r", "virtualHosts": [{"domains": ["*"]}"#
        let place = "staticResources.routeConfigs[1].name"
        #expect(
            problems(document(host: host, chain: chain)) == [
                "\(place): another route configuration is called l/0/r: rename one"
            ])
    }

    @Test func aFloodOfThemIsCounted() {
        let fields = (0..<150).map { "\"zzzzz\($0)\": 1" }.joined(separator: ", ")
        let found = problems(document(cluster: #"{"name": "c", \#(fields)}"#))
        #expect(found.count == 101 && found.last == "and 50 problems more")
    }
}

private let route = "staticResources.routeConfigs[0].virtualHosts[0].routes[0]"
private let host = "staticResources.routeConfigs[0].virtualHosts[0]"
private let listener = "staticResources.listenerConfigs[0]"
private let chain = "staticResources.listenerConfigs[0].filterChains[0]"
private let cluster = "staticResources.clusterConfigs[0]"

private func matching(_ match: String) -> String {
    document(route: #"{"match": \#(match), "route": {"cluster": "c"}}"#)
}

private func acting(_ action: String) -> String {
    document(route: #"{"match": {"prefix": "/"}, "route": \#(action)}"#)
}

private func filtering(_ filter: String) -> String { document(chain: #"{"filters": [\#(filter)]}"#) }

private func listening(_ fields: String) -> String {
    let filters = #""filters": [{"tcpProxy": {"cluster": "c"}}]"#
    return document(
        listener: """
            {"name": "l", "address": {"port": 80, "ipv4": 1}, "filterChains": [{\(filters)}], \(fields)}
            """)
}

private func balancing(_ endpoint: String) -> String {
    document(cluster: #"{"name": "c", "loadAssignment": {"endpoints": [{"lbEndpoints": [\#(endpoint)]}]}}"#)
}

private let endpoint = "\(cluster).loadAssignment.endpoints[0].lbEndpoints"
private let badDocuments: [(String, String)] = [
    ("", "line 1, byte 0: the text ends where a value should be"),
    ("[]", "wanted an object, found an array"),
    ("{}", "staticResources: is missing: add it"),
    (
        #"{"staticResources": {}, "static_resources": {}}"#,
        "static_resources: is there in both spellings: remove one"
    ),
    (
        #"{"staticResources": {}, "dynamicResources": {}}"#,
        """
        dynamicResources: is not supported: only this file is read: write listeners, routes and clusters \
        in it
        """
    ),
    (matching("{}"), "\(route).match: has none of prefix, path, pathSeparatedPrefix, safeRegex: add one"),
    (matching(#"{"prefix": "/", "path": "/"}"#), "\(route).match: has prefix and path: keep one"),
    (matching(#"{"prefix": 1}"#), "\(route).match.prefix: wanted a string, found 1"),
    (
        matching(#"{"path": "/a?b"}"#),
        "\(route).match.path: must begin with a slash and be without ? and #, not \"/a?b\""
    ),
    (
        matching(#"{"pathSeparatedPrefix": "/a/"}"#),
        "\(route).match.pathSeparatedPrefix: must not end with a slash: leave it out"
    ),
    (
        matching(#"{"prefix": "/", "runtimeFraction": {}}"#),
        "\(route).match.runtimeFraction: is not supported: use weightedClusters"
    ),
    (
        matching(#"{"prefix": "/", "headers": [{"name": "a", "exactMatch": "x", "prefixMatch": "y"}]}"#),
        "\(route).match.headers[0]: has exactMatch and prefixMatch: keep one"
    ),
    (
        matching(#"{"prefix": "/", "headers": [{"exactMatch": "x"}]}"#),
        "\(route).match.headers[0].name: is missing: add it"
    ),
    (
        matching(#"{"prefix": "/", "headers": [{"name": ":authority", "exactMatch": "x"}]}"#),
        "\(route).match.headers[0].name: :authority is no header: use domains"
    ),
    (
        matching(#"{"prefix": "/", "headers": [{"name": "a", "prefixMatch": ""}]}"#),
        "\(route).match.headers[0].prefixMatch: must not be empty"
    ),
    (
        matching(#"{"prefix": "/", "headers": [{"name": "a", "rangeMatch": {"start": 1}}]}"#),
        "\(route).match.headers[0].rangeMatch: is not supported: use stringMatch"
    ),
    (
        matching(
            #"""
            {"prefix": "/", "headers": [{"name": "a", "stringMatch": {"safeRegex": {"regex": "a"}, \#
            "ignoreCase": true}}]}
            """#
        ),
        """
        \(route).match.headers[0].stringMatch.ignoreCase: has no effect on a pattern: remove it, and \
        begin it with (?i)
        """
    ),
    (
        acting(#"{"cluster": "c", "requestMirrorPolicies": [{}]}"#),
        "\(route).route.requestMirrorPolicies: is not supported: remove it"
    ),
    (acting(#"{"cluster": "d"}"#), "\(route).route.cluster: there is no cluster d: add it"),
    (
        acting(#"{"cluster": "c", "timeout": "10"}"#),
        """
        \(route).route.timeout: wanted a duration from 0s to 1000000s, such as "10s" or "0.5s", found \
        "10"
        """
    ),
    (
        acting(#"{"cluster": "c", "priority": "HIGH"}"#),
        "\(route).route.priority: must be one of DEFAULT, not \"HIGH\""
    ),
    (
        acting(#"{"cluster": "c", "retryPolicy": {"retryOn": "5xx,moon"}}"#),
        "\(route).route.retryPolicy.retryOn: moon is not supported: remove it"
    ),
    (
        acting(
            #"{"cluster": "c", "hashPolicy": [{"cookie": {"name": "a"}}, {"header": {"headerName": "a"}}]}"#),
        "\(route).route.hashPolicy[0].cookie: is not supported: use header"
    ),
    (
        acting(#"{"weightedClusters": {"clusters": []}}"#),
        "\(route).route.weightedClusters.clusters: must name a cluster: add one"
    ),
    (
        acting(#"{"weightedClusters": {"clusters": [{"name": "c", "weight": 0}]}}"#),
        """
        \(route).route.weightedClusters.clusters: the weights are 0 together, and must be from 1 to \
        4294967295
        """
    ),
    (
        acting(#"{"weightedClusters": {"clusters": [{"name": "c", "weight": 1}], "totalWeight": 100}}"#),
        "\(route).route.weightedClusters.totalWeight: the weights are 1 together, not 100: remove it"
    ),
    (
        document(route: #"{"match": {"prefix": "/"}}"#),
        "\(route): has none of route, redirect, directResponse: add one"
    ),
    (document(route: #"{"route": {"cluster": "c"}}"#), "\(route).match: is missing: add it"),
    (
        document(host: #"{"domains": [], "routes": []}"#),
        "\(host).domains: must have a domain: add one, or \"*\""
    ),
    (
        document(host: #"{"domains": ["a*b"]}"#),
        "\(host).domains: \"a*b\" is not supported: use a name, *, *.name or name.*"
    ),
    (
        document(host: #"{"domains": ["*:80"]}"#),
        "\(host).domains: \"*:80\" is not supported: a port cannot follow a wildcard; leave it out"
    ),
    (
        document(host: #"{"domains": ["A"]}, {"domains": ["a"]}"#),
        "staticResources.routeConfigs[0].virtualHosts[1].domains: another virtual host has a: remove one"
    ),
    (
        document(host: #"{"domains": ["*"], "requireTls": "ALL"}"#),
        "\(host).requireTls: must be one of NONE, not \"ALL\""
    ),
    (
        document(host: #"{"domains": ["*"], "requestHeadersToAdd": [{}]}"#),
        "\(host).requestHeadersToAdd: is not supported: a request is passed as it is"
    ),
    (
        filtering(#"{"httpConnectionManager": {"routeConfigName": "q"}}"#),
        "\(chain).filters[0].httpConnectionManager.routeConfigName: there is no route configuration q: add it"
    ),
    (
        filtering(
            #"""
            {"httpConnectionManager": {"routeConfigName": "r", "httpFilters": [{"name": \#
            "envoy.filters.http.fault"}]}}
            """#
        ),
        """
        \(chain).filters[0].httpConnectionManager.httpFilters[0]: envoy.filters.http.fault is not \
        supported: remove the filter
        """
    ),
    (
        filtering(#"{"httpConnectionManager": {"routeConfigName": "r", "normalizePath": true}}"#),
        """
        \(chain).filters[0].httpConnectionManager.normalizePath: is not supported: paths are compared as \
        they are
        """
    ),
    (
        filtering(
            #"""
            {"name": "envoy.filters.network.rbac", "typedConfig": {"@type": \#
            "type.googleapis.com/x.v3.RBAC"}}
            """#
        ),
        """
        \(chain).filters[0]: RBAC is not supported: use an HTTP connection manager or a TCP proxy with \
        its @type
        """
    ),
    (
        filtering(#"{"tcpProxy": {"cluster": "c"}}, {"tcpProxy": {"cluster": "c"}}"#),
        "\(chain).filters[1]: only one filter is supported: remove the others"
    ),
    (
        document(chain: "{}"),
        "\(chain).filters: must have a filter: add an HTTP connection manager or a TCP proxy"
    ),
    (
        document(
            chain:
                #"""
                {"filterChainMatch": {"prefixRanges": [{"addressPrefix": "10.0.0.0"}]}, "filters": \#
                [{"tcpProxy": {"cluster": "c"}}]}
                """#
        ),
        "\(chain).filterChainMatch.prefixRanges: is not supported: write a listener for each address"
    ),
    (
        document(
            chain:
                #"""
                {"filterChainMatch": {"destinationPort": 70000}, "filters": [{"tcpProxy": {"cluster": \#
                "c"}}]}
                """#
        ),
        "\(chain).filterChainMatch.destinationPort: wanted a number from 1 to 65535, found 70000"
    ),
    (
        document(
            chain:
                #"""
                {"filters": [{"tcpProxy": {"cluster": "c"}}]}, {"filterChainMatch": {}, "filters": \#
                [{"tcpProxy": {"cluster": "c"}}]}
                """#
        ),
        "\(listener).filterChains[1]: matches what \(chain) matches: remove one"
    ),
    (
        listening(#""defaultFilterChain": {"filters": [{"tcpProxy": {"cluster": "c"}}]}"#),
        "\(listener).defaultFilterChain: is never used, as \(chain) matches everything: remove one"
    ),
    (
        listening(#""useOriginalDst": true"#),
        """
        \(listener).useOriginalDst: is not supported: a listener takes what is dialed at its own \
        address: write more listeners
        """
    ),
    (
        listening(#""apiStatus": "DELETE""#),
        "\(listener).apiStatus: only UPDATE is possible, not \"DELETE\": remove the whole entry"
    ),
    (
        listening(#""listenerFilters": [{"name": "x.proxy_protocol"}]"#),
        "\(listener).listenerFilters[0].name: x.proxy_protocol is not supported: remove the filter"
    ),
    (
        document(
            listener:
                #"""
                {"name": "l", "address": {"ipv4": 1}, "filterChains": [{"filters": [{"tcpProxy": \#
                {"cluster": "c"}}]}]}
                """#
        ),
        "\(listener).address.port: is missing: add it"
    ),
    (
        document(
            listener:
                #"""
                {"name": "l", "address": {"port": 0, "ipv4": 1}, "filterChains": [{"filters": \#
                [{"tcpProxy": {"cluster": "c"}}]}]}
                """#
        ),
        "\(listener).address.port: wanted a number from 1 to 65535, found 0"
    ),
    (
        document(
            listener:
                #"""
                {"name": "l", "address": {"port": 1, "ipv4": 1, "protocol": "UDP"}, "filterChains": \#
                [{"filters": [{"tcpProxy": {"cluster": "c"}}]}]}
                """#
        ),
        "\(listener).address.protocol: must be one of TCP, not \"UDP\""
    ),
    (
        document(cluster: #"{"name": "c"}, {"name": "c"}"#),
        "staticResources.clusterConfigs[1].name: another cluster is called c: rename one"
    ),
    (
        document(cluster: #"{"name": "c", "type": "ORIGINAL_DST"}"#),
        "\(cluster).type: must be one of STATIC, EDS, STRICT_DNS, LOGICAL_DNS, not \"ORIGINAL_DST\""
    ),
    (
        document(cluster: #"{"name": "c", "outlierDetection": {}}"#),
        "\(cluster).outlierDetection: is not supported: use healthStatus of endpoints"
    ),
    (
        document(cluster: #"{"name": "c", "http2_protocol_options": {}}"#),
        "\(cluster).http2_protocol_options: is not supported: requests are passed as they are, in HTTP/1.1"
    ),
    (
        document(
            cluster:
                #"""
                {"name": "c", "typedExtensionProtocolOptions": {"x": {"explicit_http_config": \#
                {"http2_protocol_options": {}}}}}
                """#
        ),
        """
        \(cluster).typedExtensionProtocolOptions: HTTP/2 and HTTP/3 are not supported: requests are \
        passed as they are, in HTTP/1.1
        """
    ),
    (
        document(cluster: #"{"name": "c", "circuitBreakers": {"thresholds": [{"maxConnections": 0}]}}"#),
        """
        \(cluster).circuitBreakers.thresholds[0].maxConnections: wanted a number from 1 to 4294967295, \
        found 0
        """
    ),
    (
        balancing(#"{"address": {"port": 1, "ipv4": 0}}"#),
        "\(endpoint)[0].address.ipv4: an endpoint cannot be at 0.0.0.0: give it an address of its own"
    ),
    (
        balancing(#"{"endpoint": {"address": {"socketAddress": {"address": "db", "portValue": 1}}}}"#),
        """
        \(endpoint)[0].endpoint.address.socketAddress.address: must be an IP address, not "db", as names \
        are not resolved
        """
    ),
    (
        balancing(#"{"address": {"port": 1, "ipv4": 1}}, {"address": {"port": 1, "ipv4": 1}}"#),
        "\(endpoint)[1]: the cluster has 1.0.0.0:1 twice: remove one"
    ),
    (
        balancing(#"{"address": {"port": 1, "ipv4": 1}, "loadBalancingWeight": 0}"#),
        "\(endpoint)[0].loadBalancingWeight: wanted a number from 1 to 4294967295, found 0"
    ),
]
