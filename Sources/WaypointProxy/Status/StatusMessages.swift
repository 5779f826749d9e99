/// Requests and responses of the status server.
internal import KmeshKit

struct StatusRequest: Sendable, Equatable {
    var method: String
    var path: String
    /// Without its question mark, as it was sent.
    var query = ""
    var minorVersion: UInt8 = 1
    /// Whether it comes from this machine, or this pod. Others may look, and change nothing.
    var isLocal = true

    /// The value of `name=value` in the query.
    func parameter(_ name: String) -> String? {
        for pair in query.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if halves[0] == name { return halves.count == 2 ? String(halves[1]) : "" }
        }
        return nil
    }
}

struct StatusResponse: Sendable {
    var status: UInt16
    var contentType = "text/plain; charset=utf-8"
    /// For 405: the methods that there are.
    var allow: String?
    var body: any StatusBody

    init(_ status: UInt16, _ text: String) {
        self.status = status
        body = WholeBody(bytes: Array(text.utf8))
    }

    init(_ contentType: String, _ body: any StatusBody) {
        status = 200
        self.contentType = contentType
        self.body = body
    }

    /// The head of the answer; a body whose length is not known is sent in chunks, or up to the end.
    func head(for request: StatusRequest, isChunked: Bool) -> [UInt8] {
        var text =
            "HTTP/1.1 \(status) \(Self.phrases[status] ?? "Status")\r\nContent-Type: \(contentType)\r\n"
        if let allow { text += "Allow: \(allow)\r\n" }
        if let length = body.length {
            text += "Content-Length: \(length)\r\n"
        } else if isChunked {
            text += "Transfer-Encoding: chunked\r\n"
        }
        return Array("\(text)Cache-Control: no-store\r\nConnection: close\r\n\r\n".utf8)
    }

    private static let phrases: [UInt16: String] = [
        200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
        503: "Service Unavailable",
    ]
}

/// A body that is made piece by piece, as its reader takes it: a large one never exists whole.
protocol StatusBody: Sendable {
    /// Bytes, when that is known.
    var length: Int? { get }
    mutating func next() -> [UInt8]?
}

struct WholeBody: StatusBody {
    var bytes: [UInt8]
    private var isTaken = false

    init(bytes: [UInt8]) { self.bytes = bytes }

    var length: Int? { bytes.count }

    mutating func next() -> [UInt8]? {
        guard !isTaken else { return nil }
        isTaken = true
        return bytes
    }
}
