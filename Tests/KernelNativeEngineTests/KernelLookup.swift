import CKmeshABI
import KernelNativeEngine
import KmeshKit

/// What a client sends, as the kernel module tells its parts.
struct TestRequest: Hashable, Sendable {
    var method = "GET"
    /// As in the Host header.
    var authority = "a.com"
    var path = "/"
    var query: String?
    var headers: [Header] = []

    struct Header: Hashable, Sendable {
        var name: String
        var value: String
    }

    init(
        _ path: String = "/", _ authority: String = "a.com", method: String = "GET", query: String? = nil,
        headers: [(String, String)] = []
    ) {
        (self.path, self.authority, self.method, self.query) = (path, authority, method, query)
        self.headers = headers.map { Header(name: $0.0, value: $0.1) }
    }

    var host: String {
        let text = authority.lowercased()
        guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") else { return text }
        return String(text[..<colon])
    }

    /// `nil`: the request has no such part.
    func part(_ key: String) -> String? {
        switch key {
        case ":method": return method
        case ":path": return path
        case ":host": return host
        case ":authority": return authority.lowercased()
        case ":target": return path + (query.map { "?" + $0 } ?? "")
        default: break
        }
        if key.hasPrefix("?") { return parameter(String(key.dropFirst())) }
        let values = headers.filter { $0.name.lowercased() == key }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    private func parameter(_ name: String) -> String? {
        for part in query?.split(separator: "&", omittingEmptySubsequences: false) ?? [] {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.first ?? "" == name { return pair.count > 1 ? String(pair[1]) : "" }
        }
        return nil
    }
}

/// Where a connection or request goes.
enum Decision: Hashable, Sendable {
    case notAListener
    /// Service ports with their parts, of which one is 0 for what is refused.
    case shares([Share], retries: Int = 0, hash: String? = nil)
    /// `enum kmesh_reason`.
    case refusedFor(UInt32)
    /// Something that should be in a map is not.
    case incomplete(String)

    struct Share: Hashable, Sendable {
        var id: UInt32
        var weight: UInt32
    }

    static func refused(_ reason: kmesh_reason) -> Decision { .refusedFor(reason.rawValue) }
}

/// Walks through the maps as programs do.
struct KernelLookup {
    let maps: InMemoryNativeMaps

    private struct Fault: Error { let what: String }

    func decide(
        _ key: FrontendKey, _ request: TestRequest, client: IPAddress = IPAddress(v4: 1)
    ) -> Decision {
        guard var listener = maps.listeners.value(of: key) else { return .notAListener }
        do {
            if listener.action == 0 {
                guard try choose(&listener, client) else { return .refused(KMESH_REASON_NO_CHAIN) }
            }
            switch kmesh_action(listener.action) {
            case KMESH_ACTION_ROUTE: return try route(listener.target, request)
            case KMESH_ACTION_SERVICE: return .shares([.init(id: listener.target, weight: 1)])
            case KMESH_ACTION_SPLIT: return .shares(try shares(listener.target))
            case KMESH_ACTION_REFUSE: return .refused(kmesh_reason(listener.target))
            default: throw Fault(what: "action \(listener.action)")
            }
        } catch let fault as Fault {
            return .incomplete(fault.what)
        } catch {
            return .incomplete("\(error)")
        }
    }

    private func choose(_ listener: inout ListenerValue, _ client: IPAddress) throws -> Bool {
        for index in 0..<listener.chainCount {
            let key = ChainKey(chainsID: listener.chainsID, index: index)
            guard let chain = maps.chains.value(of: key) else {
                throw Fault(what: "chain \(index) of \(listener.chainsID)")
            }
            let bits = Int(chain.sourceBits)
            guard chain.destinationPort == 0, bits == 0 || client.bits(bits) == chain.source.bits(bits) else {
                continue
            }
            (listener.action, listener.target) = (UInt32(chain.action), chain.target)
            return true
        }
        return false
    }

    private func route(_ table: UInt32, _ request: TestRequest) throws -> Decision {
        guard let value = maps.tables.value(of: NativeIDKey(table)) else {
            throw Fault(what: "table \(table)")
        }
        var host: UInt32 = 0
        for probe in value.probes where host == 0 { host = try find(table, probe, request) }
        if host == 0 { host = value.other }
        guard host != 0 else { return .refused(KMESH_REASON_NO_HOST) }
        let number = try findRoute(host, request)
        guard number != 0 else { return .refused(KMESH_REASON_NO_ROUTE) }
        guard let route = maps.routes.value(of: RouteMapKey(hostID: host, number: number)) else {
            throw Fault(what: "route \(number)")
        }
        var hash: String?
        if route.hashText != 0 { hash = String(decoding: try matcher(route.hashText).key, as: UTF8.self) }
        switch kmesh_action(UInt32(route.action)) {
        case KMESH_ACTION_SERVICE:
            return .shares([.init(id: route.target, weight: 1)], retries: Int(route.retries), hash: hash)
        case KMESH_ACTION_SPLIT:
            return .shares(try shares(route.target), retries: Int(route.retries), hash: hash)
        case KMESH_ACTION_REFUSE: return .refused(kmesh_reason(route.target))
        default: throw Fault(what: "action \(route.action) of a route")
        }
    }

    private func findRoute(_ host: UInt32, _ request: TestRequest) throws -> UInt32 {
        guard let value = maps.hosts.value(of: NativeIDKey(host)) else { throw Fault(what: "host \(host)") }
        var best: UInt32 = 0
        for first in try value.probes.map({ try find(host, $0, request) }) + [value.other] {
            var number = first
            while number != 0, best == 0 || number < best {
                guard let route = maps.routes.value(of: RouteMapKey(hostID: host, number: number)) else {
                    throw Fault(what: "route \(number) of host \(host)")
                }
                if try holds(route, host, number, request) { best = number } else { number = route.next }
            }
        }
        return best
    }

    private func holds(
        _ route: RouteValue, _ host: UInt32, _ number: UInt32, _ request: TestRequest
    ) throws -> Bool {
        var texts = route.conditions.indices.map { route.conditions[$0] }
        for block in 0..<(max(0, (Int(route.conditionCount) - 1)) / Int(KMESH_CONDITIONS)) {
            let key = ConditionKey(hostID: host, number: number, block: UInt32(block))
            guard let value = maps.conditions.value(of: key) else { throw Fault(what: "condition \(key)") }
            texts += value.texts.indices.map { value.texts[$0] }
        }
        return try texts.prefix(Int(route.conditionCount)).allSatisfy { try matcher($0).holds(request) }
    }

    private func find(_ owner: UInt32, _ probe: Probe, _ request: TestRequest) throws -> UInt32 {
        let part: String? =
            switch Probe.Kind(rawValue: probe.kind) {
            case .host: request.part(":host")
            case .authority: request.part(":authority")
            case .path: request.part(":path")
            case .pathAnyCase: request.part(":path")?.lowercased()
            case nil: throw Fault(what: "probe \(probe.kind)")
            }
        let bytes = Array((part ?? "").utf8), length = Int(probe.length)
        guard part != nil, bytes.count >= abs(length) else { return 0 }
        let text = length == 0 ? bytes : Array(length > 0 ? bytes.prefix(length) : bytes.suffix(-length))
        let key = FoundKey(ownerID: owner, probe: probe, hash: text.requestHash)
        guard let found = maps.found.value(of: key) else { return 0 }
        return try matcher(found.text).holds(request) ? found.foundID : 0
    }

    private func matcher(_ reference: UInt32) throws -> Matcher {
        let key = NativeIDKey(reference & KMESH_TEXT_NUMBER_MASK)
        let found: Matcher? =
            switch kmesh_text_class(reference >> UInt32(KMESH_TEXT_CLASS_SHIFT)) {
            case KMESH_TEXT_64: maps.texts64.value(of: key)?.matcher
            case KMESH_TEXT_256: maps.texts256.value(of: key)?.matcher
            case KMESH_TEXT_4096: maps.texts4096.value(of: key)?.matcher
            default: nil
            }
        guard let found else { throw Fault(what: "text \(reference)") }
        return found
    }

    private func shares(_ split: UInt32) throws -> [Decision.Share] {
        guard let value = maps.splits.value(of: NativeIDKey(split)), value.total > 0, value.count > 0 else {
            throw Fault(what: "split \(split)")
        }
        var end: UInt32 = 0
        let shares = try (0..<value.count).map { index in
            guard let share = maps.shares.value(of: ShareKey(splitID: split, index: index)), share.end > end
            else { throw Fault(what: "share \(index) of \(split)") }
            defer { end = share.end }
            return Decision.Share(id: share.serviceID, weight: share.end - end)
        }
        guard end == value.total else { throw Fault(what: "the total of \(split)") }
        return shares
    }

    /// The service ports of the next `count` connections, as a program takes them.
    func take(_ count: UInt32, from split: UInt32) -> [UInt32] {
        guard let value = maps.splits.value(of: NativeIDKey(split)) else { return [] }
        return (0..<count).compactMap { turn in
            let place = UInt32(UInt64(value.cursor + turn) * UInt64(value.stride) % UInt64(value.total))
            var (low, high) = (UInt32(0), value.count - 1)
            while low < high {
                let middle = low + (high - low) / 2
                guard let share = maps.shares.value(of: ShareKey(splitID: split, index: middle)) else {
                    return nil
                }
                if place < share.end { high = middle } else { low = middle + 1 }
            }
            return maps.shares.value(of: ShareKey(splitID: split, index: low))?.serviceID
        }
    }
}

extension IPAddress {
    fileprivate func bits(_ count: Int) -> [UInt64] {
        [
            count >= 64 ? high : high >> UInt64(64 - count),
            count <= 64 ? 0 : low >> UInt64(128 - count),
        ]
    }
}

extension Matcher {
    /// As the kernel module says it.
    func holds(_ request: TestRequest) -> Bool {
        let inverts = flags.contains(.inverts)
        guard
            let part = request.part(String(decoding: key, as: UTF8.self))
                ?? (flags.contains(.missingIsEmpty) ? "" : nil)
        else { return kind == Kind.present.rawValue && inverts }
        let isFolded = flags.contains(.ignoresCase)
        let found = Array((isFolded ? part.lowercased() : part).utf8)
        let text = String(decoding: value, as: UTF8.self)
        let wanted = Array((isFolded ? text.lowercased() : text).utf8)
        let holds =
            switch Kind(rawValue: kind) {
            case .exact: found == wanted
            case .prefix: found.starts(with: wanted)
            case .suffix: found.reversed().starts(with: wanted.reversed())
            case .contains: wanted.isEmpty || found.firstRange(of: wanted) != nil
            case .present: true
            case .segments:
                found.starts(with: wanted)
                    && (found.count == wanted.count || found[wanted.count] == UInt8(ascii: "/"))
            case nil: false
            }
        return holds != inverts
    }
}
