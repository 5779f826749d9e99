/// The form of a snapshot in the admin protocol and in `kmeshctl dump -o json`.
extension EngineSnapshot {
    /// Writes the sections asked for, element by element: a dump of 100,000 endpoints never exists as a tree.
    /// The sections `services` and `endpoints` share one list; without `endpoints` it has only their number.
    func write(_ sections: Set<DumpSection>, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("mode", .string(mode.rawValue))
        writer.member("sections", JSONValue(sections.map(\.rawValue).sorted()))
        if sections.contains(.services) || sections.contains(.endpoints) {
            writer.name("services")
            writer.beginArray()
            for service in services {
                service.write(withEndpoints: sections.contains(.endpoints), into: &writer)
            }
            writer.endArray()
        }
        if sections.contains(.frontends) { writer.list("frontends", frontends, \.json) }
        if sections.contains(.enrolled) { writer.list("enrolled", enrolled, \.json) }
        if sections.contains(.reasons) { writer.list("reasons", reasons, \.json) }
        if sections.contains(.maps) { writer.list("maps", maps, \.json) }
        writer.endObject()
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        let mode = try reader.string("mode")
        guard let mode = EngineMode(rawValue: mode) else {
            throw JSONShapeError(path: "\(reader.path).mode", problem: "\"\(mode)\" is not a mode")
        }
        self.init(mode: mode)
        if reader.contains("services") {
            services = try reader.objects("services", ServiceSnapshot.init(json:))
        }
        if reader.contains("frontends") {
            frontends = try reader.objects("frontends", FrontendSnapshot.init(json:))
        }
        if reader.contains("enrolled") {
            enrolled = try reader.objects("enrolled", LocalWorkload.init(json:))
        }
        if reader.contains("reasons") { reasons = try reader.objects("reasons", ReasonCount.init(json:)) }
        if reader.contains("maps") { maps = try reader.objects("maps", MapSnapshot.init(json:)) }
    }
}

extension JSONWriter {
    fileprivate mutating func list<Element>(
        _ name: String, _ elements: [Element], _ json: (Element) -> JSONValue
    ) {
        self.name(name)
        beginArray()
        for element in elements { value(json(element)) }
        endArray()
    }
}

extension ServiceSnapshot {
    fileprivate func write(withEndpoints: Bool, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", JSONValue(id))
        writer.member("service", .string(service))
        writer.member("port", JSONValue(port))
        writer.member("protocol", .string(transport.name))
        writer.member("family", JSONValue(family.rawValue))
        writer.member("policy", .string(policy.rawValue))
        writer.member("tier", JSONValue(tier))
        writer.member("affinitySeconds", affinityTimeout.map { JSONValue($0) } ?? .null)
        writer.member("waypoint", waypoint.map { .string($0) } ?? .null)
        writer.member("waypointInForce", waypoint == nil ? .null : .bool(isWaypointInForce))
        writer.member("endpointCount", JSONValue(endpointCount))
        if withEndpoints { writer.list("endpoints", endpoints, \.json) }
        writer.endObject()
    }

    fileprivate init(json reader: JSONObjectReader) throws(JSONShapeError) {
        let family = try reader.integer("family", UInt8.self)
        let policy = try reader.string("policy")
        guard let family = AddressFamily(rawValue: family) else {
            throw JSONShapeError(path: "\(reader.path).family", problem: "\(family) is neither 4 nor 6")
        }
        guard let policy = LoadBalancingPolicy(rawValue: policy) else {
            throw JSONShapeError(path: "\(reader.path).policy", problem: "\"\(policy)\" is not a policy")
        }
        let endpoints =
            reader.contains("endpoints") ? try reader.objects("endpoints", EndpointSnapshot.init(json:)) : []
        self.init(
            id: try reader.integer("id"), service: try reader.string("service"),
            port: try reader.integer("port"),
            transport: try reader.transport("protocol"), family: family, policy: policy,
            tier: try reader.integer("tier"), affinityTimeout: try reader.optionalInteger("affinitySeconds"),
            endpoints: endpoints, endpointCount: try reader.integer("endpointCount"))
        guard reader.contains("waypoint") else { return }
        waypoint = try reader.string("waypoint")
        isWaypointInForce = try reader.bool("waypointInForce")
    }
}

extension EndpointSnapshot {
    fileprivate var json: JSONValue {
        [
            "id": JSONValue(id), "address": .string(address.description), "port": JSONValue(port),
            "tier": JSONValue(tier), "slot": JSONValue(slot),
        ]
    }

    fileprivate init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            id: try reader.integer("id"), address: try reader.address("address"),
            port: try reader.integer("port"),
            tier: try reader.integer("tier"), slot: try reader.integer("slot"))
    }
}

extension FrontendSnapshot {
    fileprivate var json: JSONValue {
        [
            "address": .string(address.description), "port": JSONValue(port),
            "protocol": JSONValue(transport?.name), "serviceId": JSONValue(serviceID),
            "service": JSONValue(service),
        ]
    }

    fileprivate init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            address: try reader.address("address"), port: try reader.integer("port"),
            transport: reader.contains("protocol") ? try reader.transport("protocol") : nil,
            serviceID: try reader.integer("serviceId"), service: try reader.optionalString("service"))
    }
}

extension ReasonCount {
    var json: JSONValue {
        ["number": JSONValue(number), "name": .string(name), "count": JSONValue(count)]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            number: try reader.integer("number"), name: try reader.string("name"),
            count: try reader.integer("count"))
    }
}

extension MapSnapshot {
    var json: JSONValue {
        [
            "name": .string(name), "capacity": JSONValue(capacity), "entries": JSONValue(entries),
            "evictions": JSONValue(evictions), "bytes": JSONValue(bytes),
        ]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            name: try reader.string("name"), capacity: try reader.integer("capacity"),
            entries: try reader.optionalInteger("entries"),
            evictions: try reader.optionalInteger("evictions"),
            bytes: try reader.integer("bytes"))
    }
}

extension JSONObjectReader {
    fileprivate func transport(_ name: String) throws(JSONShapeError) -> TransportProtocol {
        let text = try string(name)
        guard let transport = TransportProtocol.allCases.first(where: { $0.name == text }) else {
            throw JSONShapeError(path: "\(path).\(name)", problem: "\"\(text)\" is not a transport protocol")
        }
        return transport
    }
}
