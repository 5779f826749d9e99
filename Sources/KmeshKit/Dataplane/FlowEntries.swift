internal import CKmeshABI

/// Keys and values of the maps that programs fill while clients connect; what each means is said in
/// `bpf/include/kmesh/abi/l4.h`.

public struct AffinityKey: MapWords {
    public var client: IPAddress
    public var serviceID: UInt32
    public init(client: IPAddress, serviceID: UInt32) { (self.client, self.serviceID) = (client, serviceID) }

    public static var wordCount: Int { 5 }
    public func append(to words: inout [UInt32]) {
        client.append(to: &words)
        words.append(serviceID)
    }
    public init(words: ArraySlice<UInt32>) {
        client = IPAddress(words: words.prefix(4))
        serviceID = words[words.startIndex + 4]
    }
}

public struct AffinityValue: MapWords {
    public var endpointID: UInt32
    /// Seconds of the monotonic clock.
    public var lastUsed: UInt32
    public init(endpointID: UInt32, lastUsed: UInt32) {
        (self.endpointID, self.lastUsed) = (endpointID, lastUsed)
    }

    public static var wordCount: Int { 2 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) { words += [endpointID, lastUsed] }
    public init(words: ArraySlice<UInt32>) {
        (endpointID, lastUsed) = (words[words.startIndex], words[words.startIndex + 1])
    }
}

public struct UDPSessionKey: MapWords {
    public var socketCookie: UInt64
    public var serviceID: UInt32
    public init(socketCookie: UInt64, serviceID: UInt32) {
        (self.socketCookie, self.serviceID) = (socketCookie, serviceID)
    }

    public static var wordCount: Int { 4 }
    public func append(to words: inout [UInt32]) {
        words += [
            UInt32(truncatingIfNeeded: socketCookie), UInt32(truncatingIfNeeded: socketCookie >> 32),
            serviceID, 0,
        ]
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        socketCookie = UInt64(words[first]) | UInt64(words[first + 1]) << 32
        serviceID = words[first + 2]
    }
}

public struct UDPSessionValue: MapWords {
    public var endpointID: UInt32
    public init(endpointID: UInt32) { self.endpointID = endpointID }

    public static var wordCount: Int { 1 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) { words.append(endpointID) }
    public init(words: ArraySlice<UInt32>) { endpointID = words[words.startIndex] }
}

public struct UDPReplyKey: MapWords {
    public var socketCookie: UInt64
    public var endpoint: SocketAddress
    public init(socketCookie: UInt64, endpoint: SocketAddress) {
        (self.socketCookie, self.endpoint) = (socketCookie, endpoint)
    }

    public static var wordCount: Int { 8 }
    public func append(to words: inout [UInt32]) {
        words += [
            UInt32(truncatingIfNeeded: socketCookie), UInt32(truncatingIfNeeded: socketCookie >> 32),
        ]
        endpoint.address.append(to: &words)
        words += [UInt32(endpoint.port), 0]
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        socketCookie = UInt64(words[first]) | UInt64(words[first + 1]) << 32
        endpoint = SocketAddress(
            IPAddress(words: words.dropFirst(2).prefix(4)), UInt16(truncatingIfNeeded: words[first + 6]))
    }
}

public struct UDPReplyValue: MapWords {
    /// What was dialed.
    public var frontend: SocketAddress
    public init(frontend: SocketAddress) { self.frontend = frontend }

    public static var wordCount: Int { 5 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) {
        frontend.address.append(to: &words)
        words.append(UInt32(frontend.port))
    }
    public init(words: ArraySlice<UInt32>) {
        frontend = SocketAddress(
            IPAddress(words: words.prefix(4)), UInt16(truncatingIfNeeded: words[words.startIndex + 4]))
    }
}

/// The maps of clients' memories.
public struct FlowMaps: Sendable {
    public var affinities: any KeyValueMap<AffinityKey, AffinityValue>
    public var sessions: any KeyValueMap<UDPSessionKey, UDPSessionValue>
    public var replies: any KeyValueMap<UDPReplyKey, UDPReplyValue>

    public init(
        affinities: any KeyValueMap<AffinityKey, AffinityValue>,
        sessions: any KeyValueMap<UDPSessionKey, UDPSessionValue>,
        replies: any KeyValueMap<UDPReplyKey, UDPReplyValue>
    ) {
        (self.affinities, self.sessions, self.replies) = (affinities, sessions, replies)
    }
}
