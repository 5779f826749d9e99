/// How requests and answers travel: four bytes of length, most significant first, then that many bytes of
/// JSON. One request and one answer for each connection.
public enum AdminFrame {
    /// Above every request that makes sense.
    public static let requestLimit = 1 << 20
    /// Above a dump of a million endpoints.
    public static let responseLimit = 1 << 29

    public static func encode(_ body: [UInt8]) -> [UInt8] {
        let length = UInt32(body.count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + body
    }

    /// The answer, or one that says that it is too long to send.
    static func encode(_ response: AdminResponse) -> [UInt8] {
        let body = response.serialized()
        guard body.count > responseLimit else { return encode(body) }
        let problem = "the answer has \(body.count) bytes, over the limit of \(responseLimit); ask for less"
        return encode(AdminResponse.error(.failed, problem).serialized())
    }
}

/// Puts a frame together from the pieces in which it arrives. No input and output of its own.
struct AdminFrameReader {
    enum Event: Hashable {
        case incomplete
        /// The body, once. What follows it is ignored: one request per connection.
        case complete([UInt8])
        /// The announced length; nothing of that size is ever stored.
        case tooLarge(Int)
    }

    private static let headerSize = 4
    private let limit: Int
    private var bytes: [UInt8] = []

    init(limit: Int) {
        self.limit = limit
    }

    /// Nothing has arrived yet.
    var isEmpty: Bool { bytes.isEmpty }

    /// How many bytes are missing for the next event, at least 1.
    var missing: Int { max(1, Self.headerSize + (announcedLength ?? 0) - bytes.count) }

    private var announcedLength: Int? {
        guard bytes.count >= Self.headerSize else { return nil }
        return bytes[..<Self.headerSize].reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func received(_ piece: [UInt8]) -> Event {
        bytes += piece
        guard let length = announcedLength else { return .incomplete }
        guard length <= limit else { return .tooLarge(length) }
        guard bytes.count >= Self.headerSize + length else { return .incomplete }
        return .complete(Array(bytes[Self.headerSize..<Self.headerSize + length]))
    }
}
