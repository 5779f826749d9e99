internal import CKmeshABI

/// Keys and values of the L4 maps; what each means is said in `bpf/include/kmesh/abi/l4.h`.

public struct FrontendKey: MapWords {
    public var address: IPAddress
    public var port: UInt16
    /// IP protocol number; 0 with port 0 for the marker of a service's address.
    public var transport: UInt8

    public init(address: IPAddress, port: UInt16, transport: TransportProtocol) {
        (self.address, self.port, self.transport) = (address, port, transport.rawValue)
    }

    public init(markerOf address: IPAddress) {
        (self.address, self.port, self.transport) = (address, 0, 0)
    }

    public var isMarker: Bool { transport == 0 }

    public static var wordCount: Int { 5 }
    public func append(to words: inout [UInt32]) {
        address.append(to: &words)
        words.append(UInt32(port) | UInt32(transport) << 16)
    }
    public init(words: ArraySlice<UInt32>) {
        let last = words[words.startIndex + 4]
        address = IPAddress(words: words.prefix(4))
        port = UInt16(truncatingIfNeeded: last)
        transport = UInt8(truncatingIfNeeded: last >> 16)
    }
}

public struct FrontendValue: MapWords {
    public var serviceID: UInt32
    public init(serviceID: UInt32) { self.serviceID = serviceID }

    public static var wordCount: Int { 1 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) { words.append(serviceID) }
    public init(words: ArraySlice<UInt32>) { serviceID = words[words.startIndex] }
}

public struct ServiceMapKey: MapWords {
    public var serviceID: UInt32
    public init(serviceID: UInt32) { self.serviceID = serviceID }

    public static var wordCount: Int { 1 }
    public func append(to words: inout [UInt32]) { words.append(serviceID) }
    public init(words: ArraySlice<UInt32>) { serviceID = words[words.startIndex] }
}

public struct ServiceValue: MapWords {
    public var policy: UInt32
    public var flags: UInt32
    public var tier: UInt32
    public var endpointCount: UInt32
    /// Seconds.
    public var affinityTimeout: UInt32
    /// The service port of its waypoint; 0: none, `KMESH_WAYPOINT_MISSING`: one that is not in force.
    public var waypointID: UInt32

    public init(
        policy: UInt32, flags: UInt32, tier: UInt32, endpointCount: UInt32, affinityTimeout: UInt32,
        waypointID: UInt32 = 0
    ) {
        self.policy = policy
        self.flags = flags
        self.tier = tier
        self.endpointCount = endpointCount
        self.affinityTimeout = affinityTimeout
        self.waypointID = waypointID
    }

    public static var wordCount: Int { 6 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) {
        words += [policy, flags, tier, endpointCount, affinityTimeout, waypointID]
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (policy, flags, tier) = (words[first], words[first + 1], words[first + 2])
        (endpointCount, affinityTimeout, waypointID) = (words[first + 3], words[first + 4], words[first + 5])
    }
}

public struct SlotKey: MapWords {
    public var serviceID: UInt32
    public var tier: UInt32
    public var index: UInt32
    public init(serviceID: UInt32, tier: UInt32, index: UInt32) {
        (self.serviceID, self.tier, self.index) = (serviceID, tier, index)
    }

    public static var wordCount: Int { 3 }
    public func append(to words: inout [UInt32]) { words += [serviceID, tier, index] }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (serviceID, tier, index) = (words[first], words[first + 1], words[first + 2])
    }
}

public struct SlotValue: MapWords {
    public var endpointID: UInt32
    public init(endpointID: UInt32) { self.endpointID = endpointID }

    public static var wordCount: Int { 1 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) { words.append(endpointID) }
    public init(words: ArraySlice<UInt32>) { endpointID = words[words.startIndex] }
}

/// The endpoint ids of a weighted or Maglev service: exactly `KMESH_TABLE_SLOTS` of them.
public struct TableValue: MapWords {
    public var endpointIDs: [UInt32]
    public init(endpointIDs: [UInt32]) {
        precondition(endpointIDs.count == Self.wordCount, "a table has KMESH_TABLE_SLOTS slots")
        self.endpointIDs = endpointIDs
    }

    public static var wordCount: Int { Int(KMESH_TABLE_SLOTS) }
    public func append(to words: inout [UInt32]) { words += endpointIDs }
    public init(words: ArraySlice<UInt32>) { endpointIDs = Array(words) }
}

public struct EndpointKey: MapWords {
    public var serviceID: UInt32
    public var endpointID: UInt32
    public init(serviceID: UInt32, endpointID: UInt32) {
        (self.serviceID, self.endpointID) = (serviceID, endpointID)
    }

    public static var wordCount: Int { 2 }
    public func append(to words: inout [UInt32]) { words += [serviceID, endpointID] }
    public init(words: ArraySlice<UInt32>) {
        (serviceID, endpointID) = (words[words.startIndex], words[words.startIndex + 1])
    }
}

public struct EndpointValue: MapWords {
    public var address: IPAddress
    public var port: UInt16
    public init(address: IPAddress, port: UInt16) { (self.address, self.port) = (address, port) }

    public static var wordCount: Int { 5 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) {
        address.append(to: &words)
        words.append(UInt32(port))
    }
    public init(words: ArraySlice<UInt32>) {
        address = IPAddress(words: words.prefix(4))
        port = UInt16(truncatingIfNeeded: words[words.startIndex + 4])
    }
}

public struct EnrolledKey: MapWords {
    public var netnsCookie: UInt64
    public init(netnsCookie: UInt64) { self.netnsCookie = netnsCookie }

    public static var wordCount: Int { 2 }
    public func append(to words: inout [UInt32]) {
        words += [UInt32(truncatingIfNeeded: netnsCookie), UInt32(truncatingIfNeeded: netnsCookie >> 32)]
    }
    public init(words: ArraySlice<UInt32>) {
        netnsCookie = UInt64(words[words.startIndex]) | UInt64(words[words.startIndex + 1]) << 32
    }
}

public struct EnrolledValue: MapWords {
    public var address: IPAddress
    /// Verdicts are traced until this second of the monotonic clock; 0: they are not.
    public var traceUntil: UInt32
    public init(address: IPAddress, traceUntil: UInt32 = 0) {
        (self.address, self.traceUntil) = (address, traceUntil)
    }

    public static var wordCount: Int { 6 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) {
        address.append(to: &words)
        words += [traceUntil, 0]
    }
    public init(words: ArraySlice<UInt32>) {
        address = IPAddress(words: words.prefix(4))
        traceUntil = words[words.startIndex + 4]
    }
}

/// An address of a waypoint instance.
public struct WaypointKey: MapWords {
    public var address: IPAddress
    public init(address: IPAddress) { self.address = address }

    public static var wordCount: Int { 4 }
    public func append(to words: inout [UInt32]) { address.append(to: &words) }
    public init(words: ArraySlice<UInt32>) { address = IPAddress(words: words) }
}

/// That the key is there says it all.
public struct WaypointValue: MapWords {
    public init() {}

    public static var wordCount: Int { 1 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) { words.append(0) }
    public init(words: ArraySlice<UInt32>) {}
}

/// The L4 maps that user space writes, behind the seam that tests replace.
public struct L4Maps: Sendable {
    public var frontends: any KeyValueMap<FrontendKey, FrontendValue>
    public var services: any KeyValueMap<ServiceMapKey, ServiceValue>
    public var slots: any KeyValueMap<SlotKey, SlotValue>
    public var tables: any KeyValueMap<ServiceMapKey, TableValue>
    public var endpoints: any KeyValueMap<EndpointKey, EndpointValue>
    public var waypoints: any KeyValueMap<WaypointKey, WaypointValue>

    public init(
        frontends: any KeyValueMap<FrontendKey, FrontendValue>,
        services: any KeyValueMap<ServiceMapKey, ServiceValue>,
        slots: any KeyValueMap<SlotKey, SlotValue>,
        tables: any KeyValueMap<ServiceMapKey, TableValue>,
        endpoints: any KeyValueMap<EndpointKey, EndpointValue>,
        waypoints: any KeyValueMap<WaypointKey, WaypointValue>
    ) {
        self.frontends = frontends
        self.services = services
        self.slots = slots
        self.tables = tables
        self.endpoints = endpoints
        self.waypoints = waypoints
    }
}
