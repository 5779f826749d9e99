/// Heads as they are sent on, as text.
import KmeshKit
import Testing

@testable import WaypointProxy

let testClient = IPAddress(v4: 0x0a01_02ff)
let testEditing = RequestEditing(
    client: testClient, destination: SocketAddress(IPAddress(v4: 0xac10_0001), 80),
    random: (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210))

struct EditingCase {
    var route = HeaderEdits()
    var backend = HeaderEdits()
    var rewrite: URLRewrite?
    var matchedPrefix = "/"
    var editing = testEditing
}

/// `nil` when the head is refused or does not fit.
func editedRequest(_ bytes: [UInt8], _ edits: EditingCase = EditingCase(), capacity: Int = 4096) -> String? {
    let slab = Slab<HeaderField>(capacity: 100)
    var head = RequestHead()
    let verdict = parseRequestHead(bytes.span, limits: HeadLimits(), into: &head, fields: slab)
    guard verdict == .complete else { return nil }
    var writer = ByteWriter(capacity: capacity)
    writeRequest(
        head, slab, bytes.span, edits.editing, route: edits.route, backend: edits.backend,
        rewrite: edits.rewrite, matchedPrefix: Array(edits.matchedPrefix.utf8), into: &writer)
    return writer.hasOverflowed ? nil : written(writer)
}

func editedResponse(
    _ bytes: [UInt8], _ editing: ResponseEditing = ResponseEditing(), route: HeaderEdits = HeaderEdits(),
    backend: HeaderEdits = HeaderEdits()
) -> String? {
    let slab = Slab<HeaderField>(capacity: 100)
    var head = ResponseHead()
    let verdict = parseResponseHead(
        bytes.span, limits: HeadLimits(), requestIsHead: false, into: &head, fields: slab)
    guard verdict == .complete else { return nil }
    var writer = ByteWriter(capacity: bytes.count + 1024)
    writeResponse(head, slab, bytes.span, editing, route: route, backend: backend, into: &writer)
    return writer.hasOverflowed ? nil : written(writer)
}

func written(_ writer: borrowing ByteWriter) -> String {
    writer.read { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
}

extension HeaderEdits {
    init(_ dropped: [String], _ appended: String = "") {
        self.init(dropped: dropped.map { Array($0.utf8) }, appended: Array(appended.utf8))
    }
}

/// Whether the response's head goes to the client without being written anew; `nil` when it is refused.
func isSentAsItCame(_ bytes: [UInt8], _ editing: ResponseEditing = ResponseEditing()) -> Bool? {
    let slab = Slab<HeaderField>(capacity: 100)
    var head = ResponseHead()
    let verdict = parseResponseHead(
        bytes.span, limits: HeadLimits(), requestIsHead: false, into: &head, fields: slab)
    return verdict == .complete ? head.isUntouched(bytes.span, editing) : nil
}
