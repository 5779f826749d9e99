internal import CKmeshABI
public import KmeshKit

/// A condition on one part of a request: `struct kmesh_http_matcher` of `bpf/include/kmesh/abi/http.h`, where
/// the keys of parts are said too.
public struct Matcher: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case exact = 1
        case prefix = 2
        case suffix = 3
        case contains = 4
        case present = 5
        case segments = 6
    }

    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        public static let ignoresCase = Flags(rawValue: 1)
        public static let inverts = Flags(rawValue: 2)
        public static let missingIsEmpty = Flags(rawValue: 4)
    }

    /// `Kind`.
    public var kind: UInt8
    public var flags: Flags
    public var key: [UInt8]
    public var value: [UInt8]

    public init(_ kind: Kind, _ key: String, _ value: [UInt8] = [], _ flags: Flags = []) {
        (self.kind, self.flags, self.key, self.value) = (kind.rawValue, flags, Array(key.utf8), value)
    }

    /// Of key and value together.
    var size: Int { key.count + value.count }

    /// The map whose texts are large enough; `nil`: there is none.
    var sizeClass: TextClass? { TextClass.allCases.first { size <= $0.capacity } }
}

/// The maps of texts, by the bytes of an entry.
enum TextClass: UInt32, CaseIterable, Sendable {
    case bytes64 = 0
    case bytes256 = 1
    case bytes4096 = 2

    /// Bytes of a key with its value.
    var capacity: Int {
        switch self {
        case .bytes64: Text64.size - Matcher.headSize
        case .bytes256: Text256.size - Matcher.headSize
        case .bytes4096: Text4096.size - Matcher.headSize
        }
    }

    func reference(_ id: UInt32) -> UInt32 { rawValue << KMESH_TEXT_CLASS_SHIFT | id }

    /// The id that a reference has.
    static func id(of reference: UInt32) -> UInt32 { reference & KMESH_TEXT_NUMBER_MASK }
}

/// Bytes of an entry in one of the maps of texts.
public protocol TextSize: Hashable, Sendable {
    static var size: Int { get }
}

public enum Text64: TextSize { public static var size: Int { Int(KMESH_TEXT_64_SIZE) } }
public enum Text256: TextSize { public static var size: Int { Int(KMESH_TEXT_256_SIZE) } }
public enum Text4096: TextSize { public static var size: Int { Int(KMESH_TEXT_4096_SIZE) } }

public struct TextValue<Size: TextSize>: MapWords {
    public var matcher: Matcher
    public init(_ matcher: Matcher) { self.matcher = matcher }

    public static var wordCount: Int { Size.size / 4 }

    public func append(to words: inout [UInt32]) {
        precondition(matcher.size <= Size.size - Matcher.headSize, "the text is for a larger map")
        words.append(
            UInt32(matcher.kind) | UInt32(matcher.flags.rawValue) << 8 | UInt32(matcher.key.count) << 16)
        words.append(UInt32(matcher.value.count))
        let bytes = matcher.key + matcher.value
        for start in stride(from: 0, to: Size.size - Matcher.headSize, by: 4) {
            var word: UInt32 = 0
            for index in start..<max(start, min(start + 4, bytes.count)) {
                word |= UInt32(bytes[index]) << UInt32(8 * (index - start))
            }
            words.append(word)
        }
    }

    public init(words: ArraySlice<UInt32>) {
        let head = words[words.startIndex], room = Size.size - Matcher.headSize
        let keySize = min(Int(head >> 16), room)
        let valueSize = min(Int(words[words.startIndex + 1] & 0xffff), room - keySize)
        let bytes = words.dropFirst(2).prefix((keySize + valueSize + 3) / 4).flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
        }
        matcher = Matcher(.present, "")
        matcher.kind = UInt8(truncatingIfNeeded: head)
        matcher.flags = Matcher.Flags(rawValue: UInt8(truncatingIfNeeded: head >> 8))
        matcher.key = Array(bytes.prefix(keySize))
        matcher.value = Array(bytes.dropFirst(keySize).prefix(valueSize))
    }
}

extension Matcher {
    /// Bytes before the text.
    static var headSize: Int { 8 }

    /// For people: `x-version = v1`.
    var text: String {
        let value = String(decoding: value, as: UTF8.self)
        let sign =
            switch Kind(rawValue: kind) {
            case .exact: "= \(value)"
            case .prefix: "begins with \(value)"
            case .suffix: "ends with \(value)"
            case .contains: "contains \(value)"
            case .present: "is present"
            case .segments: "is at or below \(value)"
            case nil: "of unknown kind \(kind)"
            }
        var text = "\(String(decoding: key, as: UTF8.self)) \(sign)"
        if flags.contains(.inverts) { text = "not \(text)" }
        if flags.contains(.ignoresCase) { text += " in any case" }
        if flags.contains(.missingIsEmpty) { text += " or as if empty" }
        return text
    }
}

extension [UInt8] {
    /// The hash by which programs look it up: see `http.h`.
    package var requestHash: UInt64 {
        kmesh_hash_end(reduce(KMESH_HASH_START) { kmesh_hash_byte($0, $1) })
    }

    /// ASCII letters in lower case.
    var lowered: [UInt8] { map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 } }
}
