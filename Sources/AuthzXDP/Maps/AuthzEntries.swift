internal import CKmeshABI
public import KmeshKit

/// Keys and values of authorization's maps; what each means is said in `bpf/include/kmesh/abi/authz.h`.

/// An address, of a source or of a destination.
public struct AuthzAddressKey: MapWords {
    public var address: IPAddress
    public init(_ address: IPAddress) { self.address = address }

    public static var wordCount: Int { 4 }
    public func append(to words: inout [UInt32]) { address.append(to: &words) }
    public init(words: ArraySlice<UInt32>) { address = IPAddress(words: words) }
}

public struct AuthzSourceValue: MapWords {
    /// 0: none.
    public var identityID: UInt32
    /// 0: none.
    public var namespaceID: UInt32
    public var flags: UInt32

    public init(identityID: UInt32, namespaceID: UInt32, flags: UInt32 = 0) {
        (self.identityID, self.namespaceID, self.flags) = (identityID, namespaceID, flags)
    }

    /// An address of this node.
    public static var node: AuthzSourceValue {
        AuthzSourceValue(identityID: 0, namespaceID: 0, flags: KMESH_AUTHZ_SOURCE_NODE.rawValue)
    }

    public static var wordCount: Int { 3 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) { words += [identityID, namespaceID, flags] }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (identityID, namespaceID, flags) = (words[first], words[first + 1], words[first + 2])
    }
}

public struct AuthzDestinationValue: MapWords {
    public var viewID: UInt32
    public init(viewID: UInt32) { self.viewID = viewID }

    public static var wordCount: Int { 1 }
    public static var isSealed: Bool { true }
    public func append(to words: inout [UInt32]) { words.append(viewID) }
    public init(words: ArraySlice<UInt32>) { viewID = words[words.startIndex] }
}

/// A number that something has in the maps: of a view, a block or a policy.
public struct AuthzIDKey: MapWords {
    public var id: UInt32
    public init(_ id: UInt32) { self.id = id }

    public static var wordCount: Int { 1 }
    public func append(to words: inout [UInt32]) { words.append(id) }
    public init(words: ArraySlice<UInt32>) { id = words[words.startIndex] }
}

public struct AuthzViewValue: MapWords {
    public var flags: UInt32
    /// At most `KMESH_AUTHZ_VIEW_BLOCKS`.
    public var blockIDs: [UInt32]

    public init(flags: UInt32, blockIDs: [UInt32]) {
        precondition(blockIDs.count <= Self.blockLimit, "a view has at most KMESH_AUTHZ_VIEW_BLOCKS blocks")
        (self.flags, self.blockIDs) = (flags, blockIDs)
    }

    static var blockLimit: Int { Int(KMESH_AUTHZ_VIEW_BLOCKS) }

    public var restricts: Bool { flags & KMESH_AUTHZ_VIEW_ALLOW.rawValue != 0 }
    public var restrictsOnTrial: Bool { flags & KMESH_AUTHZ_VIEW_TRIAL_ALLOW.rawValue != 0 }

    public static var wordCount: Int { 2 + blockLimit }
    public func append(to words: inout [UInt32]) {
        words += [flags, UInt32(blockIDs.count)] + blockIDs
        words += repeatElement(0, count: Self.blockLimit - blockIDs.count)
    }
    public init(words: ArraySlice<UInt32>) {
        let count = Int(min(words[words.startIndex + 1], UInt32(Self.blockLimit)))
        flags = words[words.startIndex]
        blockIDs = Array(words.dropFirst(2).prefix(count))
    }
}

/// Dimensions of terms in which values have entries of their own.
public enum AuthzDimension: UInt32, Hashable, Sendable, CaseIterable {
    case identity = 1
    case namespace = 2
    case port = 3
    case source = 4
    case destination = 5

    /// In the mask of a block's dimensions.
    public var mask: UInt32 { 1 << rawValue }
}

public struct AuthzBlockValue: MapWords {
    public var wordCount: UInt32
    /// Masks of `AuthzDimension`s.
    public var dimensions: UInt32
    public var deny = TermVector()
    public var allow = TermVector()
    public var trialDeny = TermVector()
    public var trialAllow = TermVector()
    public var identified = TermVector()
    public var unidentified = TermVector()
    public var source = TermVector()
    public var destination = TermVector()
    public var port = TermVector()

    public init(wordCount: UInt32, dimensions: UInt32) {
        (self.wordCount, self.dimensions) = (wordCount, dimensions)
    }

    public func has(_ dimension: AuthzDimension) -> Bool { dimensions & dimension.mask != 0 }

    public static var wordCount: Int { 2 + 9 * TermVector.wordCount }

    public func append(to words: inout [UInt32]) {
        words += [wordCount, dimensions]
        let vectors = [
            deny, allow, trialDeny, trialAllow, identified, unidentified, source, destination, port,
        ]
        for vector in vectors { vector.append(to: &words) }
    }

    public init(words: ArraySlice<UInt32>) {
        let vector = { (index: Int) in
            TermVector(words: words.dropFirst(2 + index * TermVector.wordCount).prefix(TermVector.wordCount))
        }
        (wordCount, dimensions) = (words[words.startIndex], words[words.startIndex + 1])
        (deny, allow, trialDeny, trialAllow) = (vector(0), vector(1), vector(2), vector(3))
        (identified, unidentified) = (vector(4), vector(5))
        (source, destination, port) = (vector(6), vector(7), vector(8))
    }
}

public struct AuthzBitsKey: MapWords {
    public var blockID: UInt32
    public var dimension: UInt32
    /// An identity's id, a namespace's, or a port.
    public var value: UInt32

    public init(blockID: UInt32, dimension: AuthzDimension, value: UInt32) {
        (self.blockID, self.dimension, self.value) = (blockID, dimension.rawValue, value)
    }

    public static var wordCount: Int { 3 }
    public func append(to words: inout [UInt32]) { words += [blockID, dimension, value] }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (blockID, dimension, value) = (words[first], words[first + 1], words[first + 2])
    }
}

public struct AuthzPrefixKey: MapWords {
    /// Counts the block's id and the dimension too.
    public var prefixLength: UInt32
    public var blockID: UInt32
    public var dimension: UInt32
    public var address: IPAddress

    /// - Parameter prefixLength: of the address: 0 to 128.
    public init(blockID: UInt32, dimension: AuthzDimension, address: IPAddress, prefixLength: UInt8) {
        self.prefixLength = UInt32(KMESH_AUTHZ_PREFIX_BASE) + UInt32(prefixLength)
        (self.blockID, self.dimension, self.address) = (blockID, dimension.rawValue, address)
    }

    public static var wordCount: Int { 7 }
    public func append(to words: inout [UInt32]) {
        words += [prefixLength, blockID, dimension]
        address.append(to: &words)
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        (prefixLength, blockID, dimension) = (words[first], words[first + 1], words[first + 2])
        address = IPAddress(words: words.suffix(4))
    }
}

public struct AuthzTermKey: MapWords {
    public var blockID: UInt32
    public var bit: UInt32
    public init(blockID: UInt32, bit: UInt32) { (self.blockID, self.bit) = (blockID, bit) }

    public static var wordCount: Int { 2 }
    public func append(to words: inout [UInt32]) { words += [blockID, bit] }
    public init(words: ArraySlice<UInt32>) {
        (blockID, bit) = (words[words.startIndex], words[words.startIndex + 1])
    }
}

public struct AuthzTermValue: MapWords {
    public var policyID: UInt32
    public init(policyID: UInt32) { self.policyID = policyID }

    public static var wordCount: Int { 1 }
    public func append(to words: inout [UInt32]) { words.append(policyID) }
    public init(words: ArraySlice<UInt32>) { policyID = words[words.startIndex] }
}

/// What a policy has denied so far.
public struct AuthzPolicyValue: MapWords {
    public var denied: UInt64
    public var trialDenied: UInt64

    public init(denied: UInt64 = 0, trialDenied: UInt64 = 0) {
        (self.denied, self.trialDenied) = (denied, trialDenied)
    }

    public static var wordCount: Int { 4 }
    public func append(to words: inout [UInt32]) {
        for count in [denied, trialDenied] {
            words += [UInt32(truncatingIfNeeded: count), UInt32(truncatingIfNeeded: count >> 32)]
        }
    }
    public init(words: ArraySlice<UInt32>) {
        let first = words.startIndex
        denied = UInt64(words[first]) | UInt64(words[first + 1]) << 32
        trialDenied = UInt64(words[first + 2]) | UInt64(words[first + 3]) << 32
    }
}

public struct AuthzProbeKey: MapWords {
    public var address: IPAddress
    public var port: UInt16
    public init(address: IPAddress, port: UInt16) { (self.address, self.port) = (address, port) }

    public static var wordCount: Int { 5 }
    public func append(to words: inout [UInt32]) {
        address.append(to: &words)
        words.append(UInt32(port))
    }
    public init(words: ArraySlice<UInt32>) {
        address = IPAddress(words: words.prefix(4))
        port = UInt16(truncatingIfNeeded: words[words.startIndex + 4])
    }
}

/// That the key is there says it all.
public struct AuthzProbeValue: MapWords {
    public init() {}

    public static var wordCount: Int { 1 }
    public func append(to words: inout [UInt32]) { words.append(0) }
    public init(words: ArraySlice<UInt32>) {}
}
