internal import CKmeshABI
public import KmeshKit

/// Keys and values of the kernel-native maps; what each means is said in `bpf/include/kmesh/abi/native.h`.

/// What happens to a connection or request: `enum kmesh_action`.
enum NativeAction: UInt32, Sendable {
    case route = 1
    case split = 2
    case service = 3
    case refuse = 4
}

public struct ListenerValue: MapWords {
    /// 0: by its filter chains.
    public var action: UInt32 = 0
    public var target: UInt32 = 0
    public var chainsID: UInt32 = 0
    public var chainCount: UInt32 = 0
    public var serviceID: UInt32 = 0
    /// In milliseconds.
    public var readTimeout: UInt32 = 0
    public var idleTimeout: UInt32 = 0

    public init() {}

    public static var wordCount: Int { 7 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) {
        words += [action, target, chainsID, chainCount, serviceID, readTimeout, idleTimeout]
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (action, target, chainsID) = (words[first], words[first + 1], words[first + 2])
        (chainCount, serviceID) = (words[first + 3], words[first + 4])
        (readTimeout, idleTimeout) = (words[first + 5], words[first + 6])
    }
}

public struct ChainKey: MapWords {
    public var chainsID: UInt32
    public var index: UInt32
    public init(chainsID: UInt32, index: UInt32) { (self.chainsID, self.index) = (chainsID, index) }

    public static var wordCount: Int { 2 }
    public func append(to words: inout [UInt32]) { words += [chainsID, index] }
    public init(words: ArraySlice<UInt32>) {
        (chainsID, index) = (words[words.startIndex], words[words.startIndex + 1])
    }
}

public struct ChainValue: MapWords {
    public var source: IPAddress
    /// Of 128, for IPv4 too; 0: any.
    public var sourceBits: UInt32
    /// 0: any.
    public var destinationPort: UInt16
    public var action: UInt16
    public var target: UInt32

    public init(
        source: IPAddress, sourceBits: UInt32, destinationPort: UInt16 = 0, action: UInt16, target: UInt32
    ) {
        (self.source, self.sourceBits, self.destinationPort) = (source, sourceBits, destinationPort)
        (self.action, self.target) = (action, target)
    }

    public static var wordCount: Int { 7 }
    public func append(to words: inout [UInt32]) {
        source.append(to: &words)
        words += [sourceBits, UInt32(destinationPort) | UInt32(action) << 16, target]
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        source = IPAddress(words: words.prefix(4))
        (sourceBits, target) = (words[first + 4], words[first + 6])
        destinationPort = UInt16(truncatingIfNeeded: words[first + 5])
        action = UInt16(truncatingIfNeeded: words[first + 5] >> 16)
    }
}

/// The key of what has an id of its own: a route table, a virtual host, a text, a split.
public struct NativeIDKey: MapWords {
    public var id: UInt32
    public init(_ id: UInt32) { self.id = id }

    public static var wordCount: Int { 1 }
    public func append(to words: inout [UInt32]) { words.append(id) }
    public init(words: ArraySlice<UInt32>) { id = words[words.startIndex] }
}

/// How a table or virtual host is searched, as one word.
public struct Probe: Hashable, Sendable {
    public enum Kind: UInt16, Sendable {
        case host = 1
        case authority = 2
        case path = 3
        case pathAnyCase = 4
    }

    /// `Kind`.
    public var kind: UInt16
    /// 0: all of it; below 0: from the end.
    public var length: Int16

    public init(_ kind: Kind, length: Int16 = 0) { (self.kind, self.length) = (kind.rawValue, length) }

    init(word: UInt32) {
        kind = UInt16(truncatingIfNeeded: word)
        length = Int16(truncatingIfNeeded: Int32(bitPattern: word) >> 16)
    }
    var word: UInt32 { UInt32(kind) | UInt32(UInt16(bitPattern: length)) << 16 }
}

/// A route table or a virtual host.
public struct SearchValue: MapWords {
    /// Of what no probe finds: a virtual host, or the number of a route. 0: none.
    public var other: UInt32
    /// At most `KMESH_PROBES_MAX`.
    public var probes: [Probe]

    public init(other: UInt32, probes: [Probe]) { (self.other, self.probes) = (other, probes) }

    public static var wordCount: Int { 2 + Int(KMESH_PROBES_MAX) }
    public func append(to words: inout [UInt32]) {
        words += [other, UInt32(probes.count)] + probes.map(\.word)
        words += Array(repeating: 0, count: Int(KMESH_PROBES_MAX) - probes.count)
    }
    public init(words: ArraySlice<UInt32>) {
        other = words[words.startIndex]
        let count = min(Int(words[words.startIndex + 1]), Int(KMESH_PROBES_MAX))
        probes = words.dropFirst(2).prefix(count).map { Probe(word: $0) }
    }
}

public struct FoundKey: MapWords {
    public var ownerID: UInt32
    public var probe: Probe
    public var hash: UInt64
    public init(ownerID: UInt32, probe: Probe, hash: UInt64) {
        (self.ownerID, self.probe, self.hash) = (ownerID, probe, hash)
    }

    public static var wordCount: Int { 4 }
    public func append(to words: inout [UInt32]) {
        words += [
            ownerID, probe.word, UInt32(truncatingIfNeeded: hash), UInt32(truncatingIfNeeded: hash >> 32),
        ]
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (ownerID, probe) = (words[first], Probe(word: words[first + 1]))
        hash = UInt64(words[first + 2]) | UInt64(words[first + 3]) << 32
    }
}

public struct FoundValue: MapWords {
    public var foundID: UInt32
    public var text: UInt32
    public init(foundID: UInt32, text: UInt32) { (self.foundID, self.text) = (foundID, text) }

    public static var wordCount: Int { 2 }
    public func append(to words: inout [UInt32]) { words += [foundID, text] }
    public init(words: ArraySlice<UInt32>) {
        (foundID, text) = (words[words.startIndex], words[words.startIndex + 1])
    }
}

public struct RouteMapKey: MapWords {
    public var hostID: UInt32
    public var number: UInt32
    public init(hostID: UInt32, number: UInt32) { (self.hostID, self.number) = (hostID, number) }

    public static var wordCount: Int { 2 }
    public func append(to words: inout [UInt32]) { words += [hostID, number] }
    public init(words: ArraySlice<UInt32>) {
        (hostID, number) = (words[words.startIndex], words[words.startIndex + 1])
    }
}

/// References to the texts of `KMESH_CONDITIONS` conditions.
public typealias ConditionTexts = SIMD8<UInt32>

public struct RouteValue: MapWords {
    public var next: UInt32
    public var action: UInt16
    public var retries: UInt16
    public var target: UInt32
    public var hashText: UInt32
    public var conditionCount: UInt32
    public var conditions: ConditionTexts

    public init(
        next: UInt32 = 0, action: UInt16, retries: UInt16 = 0, target: UInt32, hashText: UInt32 = 0,
        conditionCount: UInt32 = 0, conditions: ConditionTexts = ConditionTexts()
    ) {
        (self.next, self.action, self.retries, self.target) = (next, action, retries, target)
        (self.hashText, self.conditionCount, self.conditions) = (hashText, conditionCount, conditions)
    }

    public static var wordCount: Int { 5 + ConditionTexts.scalarCount }
    public func append(to words: inout [UInt32]) {
        words += [next, UInt32(action) | UInt32(retries) << 16, target, hashText, conditionCount]
        words += conditions.indices.map { conditions[$0] }
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (next, target) = (words[first], words[first + 2])
        action = UInt16(truncatingIfNeeded: words[first + 1])
        retries = UInt16(truncatingIfNeeded: words[first + 1] >> 16)
        (hashText, conditionCount) = (words[first + 3], words[first + 4])
        conditions = ConditionTexts(words.dropFirst(5).prefix(ConditionTexts.scalarCount))
    }
}

public struct ConditionKey: MapWords {
    public var hostID: UInt32
    public var number: UInt32
    public var block: UInt32
    public init(hostID: UInt32, number: UInt32, block: UInt32) {
        (self.hostID, self.number, self.block) = (hostID, number, block)
    }

    public static var wordCount: Int { 3 }
    public func append(to words: inout [UInt32]) { words += [hostID, number, block] }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (hostID, number, block) = (words[first], words[first + 1], words[first + 2])
    }
}

public struct ConditionsValue: MapWords {
    public var texts: ConditionTexts
    public init(texts: ConditionTexts) { self.texts = texts }

    public static var wordCount: Int { ConditionTexts.scalarCount }
    public func append(to words: inout [UInt32]) { words += texts.indices.map { texts[$0] } }
    public init(words: ArraySlice<UInt32>) { texts = ConditionTexts(words.prefix(Self.wordCount)) }
}

public struct SplitValue: MapWords {
    public var count: UInt32
    public var total: UInt32
    public var stride: UInt32
    /// Programs count here.
    public var cursor: UInt32
    public init(count: UInt32, total: UInt32, stride: UInt32, cursor: UInt32 = 0) {
        (self.count, self.total, self.stride, self.cursor) = (count, total, stride, cursor)
    }

    public static var wordCount: Int { 4 }
    public func append(to words: inout [UInt32]) { words += [count, total, stride, cursor] }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (count, total) = (words[first], words[first + 1])
        (stride, cursor) = (words[first + 2], words[first + 3])
    }
}

public struct ShareKey: MapWords {
    public var splitID: UInt32
    public var index: UInt32
    public init(splitID: UInt32, index: UInt32) { (self.splitID, self.index) = (splitID, index) }

    public static var wordCount: Int { 2 }
    public func append(to words: inout [UInt32]) { words += [splitID, index] }
    public init(words: ArraySlice<UInt32>) {
        (splitID, index) = (words[words.startIndex], words[words.startIndex + 1])
    }
}

public struct ShareValue: MapWords {
    public var end: UInt32
    public var serviceID: UInt32
    public init(end: UInt32, serviceID: UInt32) { (self.end, self.serviceID) = (end, serviceID) }

    public static var wordCount: Int { 2 }
    public func append(to words: inout [UInt32]) { words += [end, serviceID] }
    public init(words: ArraySlice<UInt32>) {
        (end, serviceID) = (words[words.startIndex], words[words.startIndex + 1])
    }
}

public struct LimitValue: MapWords {
    public var maxConnections: UInt32
    public init(maxConnections: UInt32) { self.maxConnections = maxConnections }

    public static var wordCount: Int { 1 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) { words.append(maxConnections) }
    public init(words: ArraySlice<UInt32>) { maxConnections = words[words.startIndex] }
}

public struct ClusterValue: MapWords {
    public let digest: ClusterDigest
    public init(_ digest: ClusterDigest) { self.digest = digest }

    public static var wordCount: Int { 4 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) {
        for half in [digest.high, digest.low] {
            words += [UInt32(half >> 32), UInt32(truncatingIfNeeded: half)]
        }
    }
    public init(words: ArraySlice<UInt32>) {
        let halves = [words.startIndex, words.startIndex + 2].map {
            UInt64(words[$0]) << 32 | UInt64(words[$0 + 1])
        }
        digest = ClusterDigest(high: halves[0], low: halves[1])
    }
}
