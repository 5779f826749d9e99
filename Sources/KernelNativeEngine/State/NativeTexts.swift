internal import CKmeshABI
internal import KmeshKit

/// The maps' keys and values for people, with the names of what their numbers stand for.
struct NativeTexts: Sendable {
    let units: UnitStore
    let owners: [FrontendKey: String]
    /// What a service port is called.
    let servicePort: @Sendable (UInt32) -> String

    func name(_ id: UInt32) -> JSONValue {
        id == 0 ? "none" : .string(units[id]?.name ?? "unknown")
    }

    /// What a reference to a text asks for.
    func condition(_ reference: UInt32) -> JSONValue {
        guard let entries = units[TextClass.id(of: reference)]?.entries else { return "unknown" }
        let matcher =
            entries.texts64.first?.value.matcher ?? entries.texts256.first?.value.matcher
            ?? entries.texts4096.first?.value.matcher
        return matcher.map { .string($0.text) } ?? "unknown"
    }

    private func conditions(_ texts: ConditionTexts) -> JSONValue {
        .array(texts.indices.map { texts[$0] }.filter { $0 != 0 }.map(condition))
    }

    private func target(_ action: UInt32, _ target: UInt32) -> [JSONValue.Member] {
        switch NativeAction(rawValue: action) {
        case .route: [.init("routesBy", name(target)), .init("tableId", JSONValue(target))]
        case .split: [.init("sharesBy", name(target)), .init("splitId", JSONValue(target))]
        case .service:
            [.init("service", .string(servicePort(target))), .init("serviceId", JSONValue(target))]
        case .refuse: [.init("refuses", JSONValue(target))]
        case nil: [.init("action", JSONValue(action)), .init("target", JSONValue(target))]
        }
    }

    var listeners: EntryWords<FrontendKey, ListenerValue> {
        EntryWords(
            key: { key in
                let owner = owners[key].map { JSONValue.string($0) } ?? "unknown"
                let address: JSONValue =
                    key.address.isUnspecified ? .string("any \(key.address)") : .string("\(key.address)")
                return ["address": address, "port": JSONValue(key.port), "listener": owner]
            },
            value: { _, value in
                var members =
                    value.chainCount > 0
                    ? [
                        .init("filterChains", JSONValue(value.chainCount)),
                        .init("chainsId", JSONValue(value.chainsID)),
                    ] : target(value.action, value.target)
                let streams = value.serviceID == 0 ? "as dialed" : servicePort(value.serviceID)
                members.append(.init("streams", .string(streams)))
                members.append(.init("readMilliseconds", JSONValue(value.readTimeout)))
                members.append(.init("idleMilliseconds", JSONValue(value.idleTimeout)))
                return .object(members)
            })
    }

    var chains: EntryWords<ChainKey, ChainValue> {
        EntryWords(
            key: {
                [
                    "listener": name($0.chainsID), "chainsId": JSONValue($0.chainsID),
                    "chain": JSONValue($0.index),
                ]
            },
            value: { _, value in
                let clients = value.sourceBits == 0 ? "any" : "\(value.source) of \(value.sourceBits) bits"
                return .object(
                    [.init("clients", .string(clients))] + target(UInt32(value.action), value.target))
            })
    }

    var tables: EntryWords<NativeIDKey, SearchValue> {
        EntryWords(
            key: { ["routes": name($0.id), "tableId": JSONValue($0.id)] },
            value: { ["otherHosts": name($1.other), "probes": .array($1.probes.map { .string($0.text) })] })
    }

    var hosts: EntryWords<NativeIDKey, SearchValue> {
        EntryWords(
            key: { ["virtualHost": name($0.id), "hostId": JSONValue($0.id)] },
            value: {
                [
                    "firstRouteForAnyPath": JSONValue($1.other),
                    "probes": .array($1.probes.map { .string($0.text) }),
                ]
            })
    }

    var found: EntryWords<FoundKey, FoundValue> {
        EntryWords(
            key: {
                ["of": name($0.ownerID), "probe": .string($0.probe.text), "hash": JSONValue($0.hash)]
            },
            value: { key, value in
                let leadsTo = key.probe.isOfHost ? name(value.foundID) : JSONValue(value.foundID)
                return [key.probe.isOfHost ? "virtualHost" : "route": leadsTo, "if": condition(value.text)]
            })
    }

    var routes: EntryWords<RouteMapKey, RouteValue> {
        EntryWords(
            key: { ["virtualHost": name($0.hostID), "number": JSONValue($0.number)] },
            value: { _, value in
                var members = target(UInt32(value.action), value.target)
                members.append(.init("next", JSONValue(value.next)))
                members.append(.init("retries", JSONValue(value.retries)))
                if value.hashText != 0 { members.append(.init("hashOf", condition(value.hashText))) }
                members.append(.init("conditions", conditions(value.conditions)))
                if value.conditionCount > KMESH_CONDITIONS {
                    members.append(.init("conditionCount", JSONValue(value.conditionCount)))
                }
                return .object(members)
            })
    }

    var conditions: EntryWords<ConditionKey, ConditionsValue> {
        EntryWords(
            key: {
                [
                    "virtualHost": name($0.hostID), "number": JSONValue($0.number),
                    "block": JSONValue($0.block),
                ]
            },
            value: { ["conditions": conditions($1.texts)] })
    }

    func text<Size>() -> EntryWords<NativeIDKey, TextValue<Size>> {
        EntryWords(key: { ["textId": JSONValue($0.id)] }, value: { ["condition": .string($1.matcher.text)] })
    }

    var splits: EntryWords<NativeIDKey, SplitValue> {
        EntryWords(
            key: { ["split": name($0.id), "splitId": JSONValue($0.id)] },
            value: {
                [
                    "parts": JSONValue($1.count), "total": JSONValue($1.total),
                    "stride": JSONValue($1.stride), "taken": JSONValue($1.cursor),
                ]
            })
    }

    var shares: EntryWords<ShareKey, ShareValue> {
        EntryWords(
            key: {
                [
                    "split": name($0.splitID), "splitId": JSONValue($0.splitID), "part": JSONValue($0.index),
                ]
            },
            value: {
                let service: JSONValue = $1.serviceID == 0 ? "none" : .string(servicePort($1.serviceID))
                return ["upTo": JSONValue($1.end), "service": service, "serviceId": JSONValue($1.serviceID)]
            })
    }
}

extension Probe {
    /// For people: `host, last 12`.
    var text: String {
        let part =
            switch Kind(rawValue: kind) {
            case .host: "host"
            case .authority: "host with port"
            case .path: "path"
            case .pathAnyCase: "path in any case"
            case nil: "unknown part \(kind)"
            }
        return length == 0 ? part : "\(part), \(length < 0 ? "last" : "first") \(length.magnitude)"
    }
}
