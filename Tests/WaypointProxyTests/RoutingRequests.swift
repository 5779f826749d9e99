// Requests as the parser would lay them out, and what a walk through a configuration says of them.
import KmeshKit
import Testing

@testable import WaypointProxy

/// One request's parts, before they become bytes.
struct RoutedRequest: Sendable {
    var method = "GET"
    var host = "a.example.com"
    var path = "/"
    var query: String?
    var headers: [(name: String, value: String)] = []

    /// The table's answer, by the route's name; `nil` is 404.
    func route(by table: RouteTable) -> String? {
        var bytes: [UInt8] = []
        func append(_ text: String) -> ByteRange {
            let start = bytes.count
            bytes += Array(text.utf8)
            return ByteRange(start: Int32(start), count: Int32(bytes.count - start))
        }
        var head = RequestHead()
        head.method = append(method)
        _ = append(" ")
        head.path = append(path)
        if let query {
            _ = append("?")
            head.query = append(query)
            head.hasQuery = true
        }
        _ = append(" HTTP/1.1\r\n")
        head.host = append(host)
        let fields = Slab<HeaderField>(capacity: 64)
        for (index, header) in headers.enumerated() {
            let name = append(header.name)
            _ = append(": ")
            fields[Int32(index)].name = name
            fields[Int32(index)].value = append(header.value)
            _ = append("\r\n")
        }
        head.fieldCount = Int32(headers.count)
        let found = table.host(of: head, in: bytes.span)
        let number = table.route(found, head, fields, in: bytes.span)
        return number < 0 ? nil : table.routes[Int(number)].name
    }

    /// What the model says, by its definition.
    func route(by source: RouteConfiguration) throws -> String? {
        let host = host.lowercased()
        let found = source.virtualHosts.flatMap { candidate in
            candidate.domains.compactMap { domain -> (Int, VirtualHost)? in
                switch domain {
                case .any: (0, candidate)
                case .exact(let name): name == host ? (1000, candidate) : nil
                case .prefix: nil
                case .suffix(let suffix):
                    host.hasSuffix(suffix) && host.utf8.count > suffix.utf8.count
                        ? (suffix.utf8.count, candidate) : nil
                }
            }
        }
        // Of equals the first.
        guard let best = found.map(\.0).max(), let owner = found.first(where: { $0.0 == best })?.1 else {
            return nil
        }
        return try owner.routes.first { try matches($0.match) }?.name
    }

    private func matches(_ match: RouteMatch) throws -> Bool {
        let path = path.isEmpty ? "/" : path
        switch match.path {
        case .exact(let exact): guard path == exact else { return false }
        case .prefix("/"): break
        case .prefix(let prefix): guard path == prefix || path.hasPrefix(prefix + "/") else { return false }
        case .textPrefix(let prefix): guard path.hasPrefix(prefix) else { return false }
        case .regex(let pattern): guard try fits(path, pattern) else { return false }
        }
        if let method = match.method, method != self.method { return false }
        for header in match.headers {
            let lines = headers.filter { $0.name.lowercased() == header.name }.map(\.value)
            guard !lines.isEmpty, try fits(lines.joined(separator: ", "), header.value) else { return false }
        }
        for parameter in match.queryParameters {
            let parts = query.map { $0.split(separator: "&", omittingEmptySubsequences: false) } ?? []
            let pairs = parts.map { $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false) }
            guard let pair = pairs.first(where: { ($0.first ?? "") == parameter.name }),
                try fits(pair.count > 1 ? String(pair[1]) : "", parameter.value)
            else { return false }
        }
        return true
    }

    private func fits(_ text: String, _ value: ValueMatch) throws -> Bool {
        switch value {
        case .exact(let exact): text == exact
        case .prefix(let prefix): text.hasPrefix(prefix)
        case .suffix(let suffix): text.hasSuffix(suffix)
        case .contains(let part): text.contains(part)
        case .present: true
        case .regex(let pattern): try fits(text, pattern)
        }
    }

    private func fits(_ text: String, _ pattern: String) throws -> Bool {
        let bytes = Array(text.utf8)
        return try RegexMatcher(pattern).matches(bytes.span)
    }
}

extension RouteTable {
    /// All backends have cluster 0, and names no numbers.
    convenience init(_ hosts: [VirtualHost]) {
        self.init(
            compiling: RouteConfiguration(
                key: .gateway(namespace: "default", name: "g", listener: "l"), virtualHosts: hosts),
            clusters: { _ in 0 }, statistics: { _ in -1 })
    }
}

extension Route {
    init(_ name: String, _ path: PathMatch, _ change: (inout RouteMatch) -> Void = { _ in }) {
        self.init(name: name, match: RouteMatch(path: path), action: .respond(status: 200))
        change(&match)
    }
}
