/// Heads as tests look at them: parsed from text, with every part as text.
import Testing

@testable import WaypointProxy

struct ParsedRequest {
    var bytes: [UInt8]
    var verdict: ParseVerdict
    var head = RequestHead()
    var fields: [HeaderField] = []

    init(_ text: String, limits: HeadLimits = HeadLimits()) { self.init(Array(text.utf8), limits: limits) }

    init(_ bytes: [UInt8], limits: HeadLimits = HeadLimits()) {
        self.bytes = bytes
        let slab = Slab<HeaderField>(capacity: limits.fields)
        verdict = parseRequestHead(bytes.span, limits: limits, into: &head, fields: slab)
        if verdict == .complete { fields = (0..<head.fieldCount).map { slab[$0] } }
    }

    func text(_ range: ByteRange) -> String { String(decoding: bytes[range.range], as: UTF8.self) }

    /// `name: value` of each line, the name in lower case.
    var lines: [String] { fields.map { "\(text($0.name).lowercased()): \(text($0.value))" } }

    func values(_ name: String) -> [String] {
        fields.filter { text($0.name).lowercased() == name }.map { text($0.value) }
    }
}

struct ParsedResponse {
    var bytes: [UInt8]
    var verdict: ParseVerdict
    var head = ResponseHead()
    var fields: [HeaderField] = []

    init(_ text: String, requestIsHead: Bool = false, limits: HeadLimits = HeadLimits()) {
        self.init(Array(text.utf8), requestIsHead: requestIsHead, limits: limits)
    }

    init(_ bytes: [UInt8], requestIsHead: Bool = false, limits: HeadLimits = HeadLimits()) {
        self.bytes = bytes
        let slab = Slab<HeaderField>(capacity: limits.fields)
        verdict = parseResponseHead(
            bytes.span, limits: limits, requestIsHead: requestIsHead, into: &head, fields: slab)
        if verdict == .complete { fields = (0..<head.fieldCount).map { slab[$0] } }
    }

    func text(_ range: ByteRange) -> String { String(decoding: bytes[range.range], as: UTF8.self) }

    var lines: [String] { fields.map { "\(text($0.name).lowercased()): \(text($0.value))" } }
}
