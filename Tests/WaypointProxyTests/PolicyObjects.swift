/// Policies for tests, by hand and at random, and what they are compared with.
import KmeshKit

@testable import WaypointProxy

func policy(
    _ name: String, _ action: PolicyAction, for targets: [PolicyTarget], isDryRun: Bool = false,
    _ rules: [PolicyRule] = []
) -> AuthorizationPolicy {
    AuthorizationPolicy(
        key: PolicyKey(namespace: "default", name: name), action: action, scope: .targets(targets),
        isDryRun: isDryRun, rules: rules)
}

/// A rule of one clause with one match.
func rule(_ change: (inout PolicyMatch) -> Void) -> PolicyRule {
    var match = PolicyMatch()
    change(&match)
    return PolicyRule(clauses: [[match]])
}

func requestRule(_ change: (inout RequestMatch) -> Void) -> PolicyRule {
    rule { match in
        var request = RequestMatch()
        change(&request)
        match.request = request
    }
}

func paths(_ patterns: String...) -> PolicyRule {
    requestRule { $0.paths.any = patterns.map { StringMatch($0) } }
}

func methods(_ patterns: String...) -> PolicyRule {
    requestRule { $0.methods.any = patterns.map { StringMatch($0) } }
}

/// A request from which both forms are made: bytes for the compiled policies, texts for the evaluator.
struct PolicyRequestSample: CustomStringConvertible {
    var method: String
    var host: String
    var path: String
    var query: String?
    var headers: [(name: String, value: String)]

    var description: String { text.debugDescription }

    private var text: String {
        let lines = headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        return "\(method) \(path)\(query.map { "?\($0)" } ?? "") HTTP/1.1\r\nHost: \(host)\r\n\(lines)\r\n"
    }

    var parsed: ParsedRequest { ParsedRequest(text) }

    var plain: PolicyRequest {
        let headers = headers + [(name: "Host", value: host)]
        return PolicyRequest(host: host.lowercased(), method: method, path: path) { name in
            let values = headers.filter { $0.name.lowercased() == name }.map(\.value)
            return values.isEmpty ? nil : values.joined(separator: ",")
        }
    }
}

/// Policies and requests of few words, so that they meet often.
struct PolicyGenerator {
    var random: SplitMix64

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    private mutating func patterns<Pattern>(
        _ chance: Int, _ make: (inout PolicyGenerator) -> Pattern
    ) -> Patterns<Pattern> {
        guard below(chance) == 0 else { return Patterns() }
        var patterns = Patterns<Pattern>()
        for _ in 0..<below(3) { patterns.any.append(make(&self)) }
        for _ in 0..<(below(3) == 0 ? 1 : 0) { patterns.none.append(make(&self)) }
        return patterns
    }

    private mutating func texts(_ chance: Int, _ words: [String]) -> Patterns<StringMatch> {
        patterns(chance) { generator in
            let word = generator.pick(words)
            return switch generator.below(6) {
            case 0: .present
            case 1: .prefix(String(word.prefix(generator.below(word.count + 1))))
            case 2: .suffix(String(word.suffix(generator.below(word.count + 1))))
            default: .exact(word)
            }
        }
    }

    private static let namespaces = ["a", "ab", "b"]
    private static let names = ["x", "xy", "y"]
    private static let addresses = ["10.0.0.1", "10.0.1.1", "10.1.0.1", "2001:db8::1", "::1"]
    private static let blocks = [
        "10.0.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "10.0.0.1",
    ]
    private static let hosts = ["a.com", "b.com", "a.com:80", "a.com:81", "a.com:", "[::1]:80", "[::80]"]
    private static let methods = ["GET", "GE", "POST", "P"]
    private static let paths = ["/", "/a", "/a/b", "/ab", "/A", "//a", "/a/"]
    private static let values = ["1", "2", "1,2", "", "2,1,2", ",", "12"]

    private mutating func request() -> RequestMatch {
        var match = RequestMatch()
        match.hosts = texts(4, Self.hosts)
        match.methods = texts(3, Self.methods)
        match.remoteBlocks = patterns(8) { Self.block($0.pick(Self.blocks)) }
        match.paths = texts(3, Self.paths)
        for _ in 0..<(below(3) == 0 ? 1 + below(2) : 0) {
            let name = pick(["x-a", "x-b", "host"])
            match.headers.append(
                RequestMatch.HeaderMatch(
                    name: name, values: texts(1, name == "host" ? Self.hosts : Self.values)))
        }
        if below(12) == 0 {
            if below(2) == 0 { match.absent.any = ["sni"] } else { match.absent.none = ["sni"] }
        }
        return match
    }

    private mutating func match() -> PolicyMatch {
        var match = PolicyMatch()
        match.namespaces = texts(5, Self.namespaces)
        match.principals = texts(6, ["cluster.local/ns/a/sa/x", "cluster.local/ns/b/sa/y"])
        match.serviceAccounts = patterns(6) { generator in
            ServiceAccountName(namespace: generator.pick(Self.namespaces), name: generator.pick(Self.names))
        }
        match.sourceBlocks = patterns(6) { Self.block($0.pick(Self.blocks)) }
        match.destinationBlocks = patterns(8) { Self.block($0.pick(Self.blocks)) }
        match.destinationPorts = patterns(6) { $0.pick([80, 81, 82]) }
        if below(2) == 0 { match.request = request() }
        return match
    }

    private static func block(_ text: String) -> IPBlock {
        guard let block = IPBlock(text) else { preconditionFailure("no block: \(text)") }
        return block
    }

    mutating func policies() -> [AuthorizationPolicy] {
        (0..<below(6)).map { number in
            let rules = (0..<below(4)).map { _ in
                PolicyRule(clauses: (0..<below(3)).map { _ in (0..<below(3)).map { _ in match() } })
            }
            return policy(
                "\(below(100))-\(number)", pick([.allow, .deny]), for: [.waypoints], isDryRun: below(4) == 0,
                rules)
        }
    }

    mutating func connection() -> PolicyConnection {
        let identity = WorkloadIdentity(namespace: pick(Self.namespaces), serviceAccount: pick(Self.names))
        return PolicyConnection(
            source: address(pick(Self.addresses)), identity: below(4) == 0 ? nil : identity,
            destination: address(pick(Self.addresses)), port: pick([80, 81, 82]))
    }

    mutating func sample() -> PolicyRequestSample {
        PolicyRequestSample(
            method: pick(Self.methods), host: pick(Self.hosts + ["A.COM", "c", "a.com:080"]),
            path: pick(Self.paths), query: below(3) == 0 ? pick(["", "/a", "a=b"]) : nil,
            headers: (0..<below(4)).map { _ in (name: pick(["x-a", "X-A", "x-b"]), value: pick(Self.values)) }
        )
    }
}
