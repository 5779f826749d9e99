/// Authorization's maps for people: keys and values with the names of what their numbers stand for.
internal import CKmeshABI
internal import KmeshKit

extension AuthorizationDataplane {
    /// The policies of the configuration, those that are refused included; without those of targets.
    var configuration: [MeshResource] {
        let refused = refusals.filter { policies[$0.key] == nil }.values.map(\.policy)
        return (policies.forms.values.map(\.policy) + refused).map { .policy($0) }
    }

    /// The maps that user space writes. Names are those of now, whenever the maps are read.
    var dumpableMaps: [DumpableMap] {
        let dataplane = self
        let texts: @Sendable () -> EntryTexts = { EntryTexts(of: dataplane) }
        return [
            .entries(maps.sources, by: \.address) {
                let texts = texts()
                return EntryWords(
                    key: { texts.address($0.address) },
                    value: {
                        [
                            "identity": .string(texts.source($1)), "identityId": JSONValue($1.identityID),
                            "namespaceId": JSONValue($1.namespaceID),
                        ]
                    })
            },
            .entries(maps.destinations, by: \.address) {
                let texts = texts()
                return EntryWords(
                    key: { texts.address($0.address) }, value: { ["view": JSONValue($1.viewID)] })
            },
            .entries(maps.views, by: \.id) { texts().views },
            .entries(maps.blocks, by: \.id) { texts().blocks },
            .entries(
                maps.bits, by: { NumberOrder($0.blockID, $0.dimension, $0.value) }, describe: { texts().bits }
            ),
            .entries(
                maps.prefixes,
                by: { NumberOrder($0.blockID, $0.dimension, $0.prefixLength, $0.address) },
                describe: { texts().prefixes }),
            .entries(
                maps.terms, by: { NumberOrder($0.blockID, $0.bit) },
                describe: {
                    let texts = texts()
                    return EntryWords(
                        key: { ["block": JSONValue($0.blockID), "term": JSONValue($0.bit)] },
                        value: {
                            [
                                "policy": .string(texts.policy($1.policyID)),
                                "policyId": JSONValue($1.policyID),
                            ]
                        })
                }),
            .entries(maps.policies, by: \.id) {
                let texts = texts()
                return EntryWords(
                    key: { ["policy": .string(texts.policy($0.id)), "policyId": JSONValue($0.id)] },
                    value: {
                        ["denied": JSONValue($1.denied), "trialDenied": JSONValue($1.trialDenied)]
                    })
            },
            .entries(
                maps.probes, by: { NumberOrder(UInt32($0.port), 0, 0, $0.address) },
                describe: {
                    let texts = texts()
                    return EntryWords(
                        key: { texts.address($0.address, port: $0.port) }, value: { _, _ in ["probed": true] }
                    )
                }),
        ]
    }
}

extension EntryTexts {
    fileprivate func address(_ address: IPAddress, port: UInt16? = nil) -> JSONValue {
        var members: [JSONValue.Member] = [.init("address", .string("\(address)"))]
        if let name = workload(at: address) { members.append(.init("workload", .string(name))) }
        if let port { members.append(.init("port", JSONValue(port))) }
        return .object(members)
    }

    fileprivate var views: EntryWords<AuthzIDKey, AuthzViewValue> {
        EntryWords(
            key: { ["view": JSONValue($0.id)] },
            value: {
                [
                    "blocks": .array($1.blockIDs.map { .string(block($0)) }),
                    "needsAllow": .bool($1.restricts), "trialNeedsAllow": .bool($1.restrictsOnTrial),
                ]
            })
    }

    fileprivate var blocks: EntryWords<AuthzIDKey, AuthzBlockValue> {
        EntryWords(
            key: { ["block": .string(block($0.id)), "blockId": JSONValue($0.id)] },
            value: { _, value in
                var members: [JSONValue.Member] = [
                    .init(
                        "dimensions",
                        .array(AuthzDimension.allCases.filter(value.has).map { .string($0.name) })
                    )
                ]
                let vectors = [
                    ("deny", value.deny), ("allow", value.allow), ("trialDeny", value.trialDeny),
                    ("trialAllow", value.trialAllow), ("anyIdentity", value.identified),
                    ("noIdentity", value.unidentified), ("otherSources", value.source),
                    ("otherDestinations", value.destination), ("otherPorts", value.port),
                ]
                for (name, vector) in vectors where !vector.isEmpty {
                    members.append(.init(name, vector.json))
                }
                return .object(members)
            })
    }

    fileprivate var bits: EntryWords<AuthzBitsKey, TermVector> {
        EntryWords(
            key: { key in
                let dimension = AuthzDimension(rawValue: key.dimension)
                return [
                    "block": JSONValue(key.blockID),
                    "dimension": .string(dimension?.name ?? "\(key.dimension)"), "value": value(of: key),
                ]
            },
            value: { ["terms": $1.json] })
    }

    private func value(of key: AuthzBitsKey) -> JSONValue {
        switch AuthzDimension(rawValue: key.dimension) {
        case .identity: .string(identity(key.value))
        case .namespace: .string(namespace(key.value))
        case .port, .source, .destination, nil: JSONValue(key.value)
        }
    }

    fileprivate var prefixes: EntryWords<AuthzPrefixKey, TermVector> {
        EntryWords(
            key: { key in
                let base = UInt32(KMESH_AUTHZ_PREFIX_BASE) + (key.address.isV4 ? 96 : 0)
                // A shorter one of IPv6 that covers IPv4 addresses says its length as it is.
                let length =
                    key.prefixLength >= base
                    ? key.prefixLength - base : key.prefixLength - UInt32(KMESH_AUTHZ_PREFIX_BASE)
                return [
                    "block": JSONValue(key.blockID),
                    "dimension": .string(
                        AuthzDimension(rawValue: key.dimension)?.name ?? "\(key.dimension)"),
                    "addresses": .string("\(key.address)/\(length)"),
                ]
            },
            value: { ["terms": $1.json] })
    }
}

extension AuthzDimension {
    fileprivate var name: String {
        switch self {
        case .identity: "identity"
        case .namespace: "namespace"
        case .port: "port"
        case .source: "source"
        case .destination: "destination"
        }
    }
}

extension TermVector {
    /// The terms that hold, with runs as `3-17`.
    fileprivate var json: JSONValue {
        var runs: [ClosedRange<Int>] = []
        for bit in bits {
            if let last = runs.last, last.upperBound + 1 == bit {
                runs[runs.count - 1] = last.lowerBound...bit
            } else {
                runs.append(bit...bit)
            }
        }
        return .string(
            runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
                .joined(separator: ","))
    }
}

/// Sorts keys, so that two dumps can be compared.
private struct NumberOrder: Comparable {
    let numbers: (UInt32, UInt32, UInt32)
    let address: IPAddress

    init(
        _ first: UInt32, _ second: UInt32, _ third: UInt32 = 0,
        _ address: IPAddress = IPAddress(high: 0, low: 0)
    ) {
        (numbers, self.address) = ((first, second, third), address)
    }

    static func < (left: NumberOrder, right: NumberOrder) -> Bool {
        left.numbers == right.numbers ? left.address < right.address : left.numbers < right.numbers
    }

    static func == (left: NumberOrder, right: NumberOrder) -> Bool {
        left.numbers == right.numbers && left.address == right.address
    }
}
