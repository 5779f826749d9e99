/// Requests and responses of the status server.
package import KmeshKit

package struct StatusRequest: Sendable, Equatable {
    package var method: String
    package var path: String
    /// Without its question mark, as it was sent.
    package var query = ""
    var minorVersion: UInt8 = 1
    /// Where it comes from.
    package var peer = SocketAddress(IPAddress(v4: 0x7f00_0001), 0)
    /// What the client calls this server, without a port.
    package var host = ""

    package init(method: String, path: String, query: String = "") {
        (self.method, self.path, self.query) = (method, path, query)
    }

    /// Whether it comes from this machine, or this pod. Others may look, and change nothing.
    var isLocal: Bool { peer.address.isLoopback }

    package var isReading: Bool { method == "GET" || method == "HEAD" }

    /// The value of `name=value` in the query, as it was sent.
    package func parameter(_ name: String) -> String? {
        for pair in query.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if halves[0] == name { return halves.count == 2 ? String(halves[1]) : "" }
        }
        return nil
    }
}

package struct StatusResponse: Sendable {
    package var status: UInt16
    package var contentType = "text/plain; charset=utf-8"
    /// For 405: the methods that there are.
    package var allow: String?
    package var body: any StatusBody

    package init(_ status: UInt16, _ text: String) {
        self.status = status
        body = WholeBody(bytes: Array(text.utf8))
    }

    /// For a method that the path does not take.
    package init(allowing methods: String, _ text: String) {
        self.init(405, text)
        allow = methods
    }

    package init(_ contentType: String, _ body: any StatusBody, status: UInt16 = 200) {
        self.status = status
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
        403: "Forbidden", 411: "Length Required", 413: "Content Too Large", 414: "URI Too Long",
        431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
        503: "Service Unavailable", 505: "HTTP Version Not Supported",
    ]
}

/// A body that is made piece by piece, as its reader takes it: a large one never exists whole.
package protocol StatusBody: Sendable {
    /// Bytes, when that is known.
    var length: Int? { get }
    mutating func next() -> [UInt8]?
}

package struct WholeBody: StatusBody {
    var bytes: [UInt8]
    private var isTaken = false

    package init(bytes: [UInt8]) { self.bytes = bytes }

    package var length: Int? { bytes.count }

    package mutating func next() -> [UInt8]? {
        guard !isTaken else { return nil }
        isTaken = true
        return bytes
    }
}
