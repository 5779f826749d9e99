/// The L4 maps for people: keys and values with the names of what their numbers stand for.
internal import CKmeshABI

extension L4Dataplane {
    /// The configuration's services and workloads, whether they are in force or not.
    public var configuration: [MeshResource] {
        var resources = services.keys.compactMap { services[$0].map { MeshResource.service($0) } }
        resources.reserveCapacity(resources.count + workloads.count)
        workloads.forEach { resources.append(.workload($0)) }
        return resources
    }

    /// The maps that say where connections go. Names are those of now, whenever the maps are read.
    public var dumpableMaps: [DumpableMap] {
        let (maps, dataplane) = (reconciler.maps, self)
        let texts: @Sendable () -> EntryTexts = { EntryTexts(of: dataplane) }
        return [
            .entries(maps.frontends, by: { FrontendOrder($0) }, describe: { texts().frontends }),
            .entries(maps.services, by: \.serviceID) { texts().services },
            .entries(
                maps.slots, by: { NumberOrder($0.serviceID, $0.tier, $0.index) },
                describe: { texts().slots }),
            .entries(maps.tables, by: \.serviceID) { texts().tables },
            .entries(
                maps.endpoints, by: { NumberOrder($0.serviceID, $0.endpointID) },
                describe: { texts().endpoints }),
            .entries(maps.waypoints, by: \.address) {
                EntryWords(
                    key: { ["address": .string("\($0.address)")] }, value: { _, _ in ["waypoint": true] })
            },
        ]
    }

    /// The maps of what clients are remembered by.
    public func dumpableMaps(_ flows: FlowMaps) -> [DumpableMap] {
        let dataplane = self
        let texts: @Sendable () -> EntryTexts = { EntryTexts(of: dataplane) }
        return [
            .entries(
                flows.affinities, by: { FlowOrder($0.client, 0, $0.serviceID) },
                describe: {
                    let texts = texts()
                    return EntryWords(
                        key: {
                            [
                                "client": .string("\($0.client)"), "service": texts.name($0.serviceID),
                                "serviceId": JSONValue($0.serviceID),
                            ]
                        },
                        value: {
                            [
                                "endpoint": .string(texts.endpoint($1.endpointID, of: $0.serviceID)),
                                "endpointId": JSONValue($1.endpointID),
                                "lastUsedSecond": JSONValue($1.lastUsed),
                            ]
                        })
                }),
            .entries(
                flows.sessions, by: { FlowOrder(nil, $0.socketCookie, $0.serviceID) },
                describe: {
                    let texts = texts()
                    return EntryWords(
                        key: {
                            [
                                "socketCookie": JSONValue($0.socketCookie),
                                "service": texts.name($0.serviceID),
                                "serviceId": JSONValue($0.serviceID),
                            ]
                        },
                        value: {
                            [
                                "endpoint": .string(texts.endpoint($1.endpointID, of: $0.serviceID)),
                                "endpointId": JSONValue($1.endpointID),
                            ]
                        })
                }),
            .entries(
                flows.replies,
                by: { FlowOrder($0.endpoint.address, $0.socketCookie, UInt32($0.endpoint.port)) },
                describe: {
                    EntryWords(
                        key: {
                            [
                                "socketCookie": JSONValue($0.socketCookie),
                                "endpoint": .string("\($0.endpoint)"),
                            ]
                        },
                        value: { ["dialed": .string("\($1.frontend)")] })
                }),
        ]
    }
}

extension EntryTexts {
    fileprivate func name(_ id: UInt32) -> JSONValue { .string(service(id)) }

    fileprivate var frontends: EntryWords<FrontendKey, FrontendValue> {
        EntryWords(
            key: { key in
                guard !key.isMarker else {
                    return ["address": .string("\(key.address)"), "port": "any other"]
                }
                let transport = TransportProtocol(rawValue: key.transport)?.name
                return [
                    "address": .string("\(key.address)"), "port": JSONValue(key.port),
                    "protocol": transport.map { .string($0) } ?? JSONValue(key.transport),
                ]
            },
            value: {
                ["leadsTo": .string(frontend($0, $1)), "serviceId": JSONValue($1.serviceID)]
            })
    }

    fileprivate var services: EntryWords<ServiceMapKey, ServiceValue> {
        EntryWords(
            key: { ["service": name($0.serviceID), "serviceId": JSONValue($0.serviceID)] },
            value: { _, value in
                let policy = LoadBalancingPolicy(mapValue: value.policy)
                var members: [JSONValue.Member] = [
                    .init("policy", policy.map { .string($0.rawValue) } ?? JSONValue(value.policy)),
                    .init("tier", JSONValue(value.tier)), .init("endpoints", JSONValue(value.endpointCount)),
                ]
                if value.flags & KMESH_SERVICE_AFFINITY.rawValue != 0 {
                    members.append(.init("affinitySeconds", JSONValue(value.affinityTimeout)))
                }
                if value.flags & KMESH_SERVICE_STRICT.rawValue != 0 {
                    members.append(.init("strictLocality", true))
                }
                if value.waypointID != 0 {
                    members.append(.init("waypoint", .string(waypoint(value.waypointID))))
                    members.append(.init("waypointId", JSONValue(value.waypointID)))
                }
                return .object(members)
            })
    }

    fileprivate var slots: EntryWords<SlotKey, SlotValue> {
        EntryWords(
            key: {
                [
                    "service": name($0.serviceID), "serviceId": JSONValue($0.serviceID),
                    "tier": JSONValue($0.tier), "slot": JSONValue($0.index),
                ]
            },
            value: {
                [
                    "endpoint": .string(endpoint($1.endpointID, of: $0.serviceID)),
                    "endpointId": JSONValue($1.endpointID),
                ]
            })
    }

    /// How many slots each endpoint has: nobody reads 16,381 numbers.
    fileprivate var tables: EntryWords<ServiceMapKey, TableValue> {
        EntryWords(
            key: { ["service": name($0.serviceID), "serviceId": JSONValue($0.serviceID)] },
            value: { key, value in
                var shares: [UInt32: Int] = [:]
                for id in value.endpointIDs { shares[id, default: 0] += 1 }
                let members = shares.sorted { $0.key < $1.key }.map { id, count in
                    JSONValue.Member(endpoint(id, of: key.serviceID), JSONValue(count))
                }
                return ["slots": JSONValue(value.endpointIDs.count), "shares": .object(members)]
            })
    }

    fileprivate var endpoints: EntryWords<EndpointKey, EndpointValue> {
        EntryWords(
            key: {
                [
                    "service": name($0.serviceID), "serviceId": JSONValue($0.serviceID),
                    "endpointId": JSONValue($0.endpointID),
                ]
            },
            value: { ["address": .string(socketAddress($1.address, $1.port))] })
    }
}

// Orders of keys, so that two dumps can be compared.

private struct FrontendOrder: Comparable {
    let key: FrontendKey

    init(_ key: FrontendKey) { self.key = key }

    static func < (left: FrontendOrder, right: FrontendOrder) -> Bool {
        (left.key.address, left.key.port, left.key.transport)
            < (right.key.address, right.key.port, right.key.transport)
    }
}

private struct NumberOrder: Comparable {
    let numbers: (UInt32, UInt32, UInt32)

    init(_ first: UInt32, _ second: UInt32, _ third: UInt32 = 0) { numbers = (first, second, third) }

    static func < (left: NumberOrder, right: NumberOrder) -> Bool { left.numbers < right.numbers }
    static func == (left: NumberOrder, right: NumberOrder) -> Bool { left.numbers == right.numbers }
}

private struct FlowOrder: Comparable {
    let address: IPAddress
    let cookie: UInt64
    let number: UInt32

    init(_ address: IPAddress?, _ cookie: UInt64, _ number: UInt32) {
        self.address = address ?? IPAddress(high: 0, low: 0)
        (self.cookie, self.number) = (cookie, number)
    }

    static func < (left: FlowOrder, right: FlowOrder) -> Bool {
        (left.cookie, left.address, left.number) < (right.cookie, right.address, right.number)
    }
}
