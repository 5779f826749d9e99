/// Answers of the proxy itself.
internal import KmeshKit

extension ByteWriter {
    /// For a client that waits with its body.
    mutating func appendContinue() { append("HTTP/1.1 100 Continue\r\n\r\n") }
}

/// A whole response. `body` is plain text; the answer to a HEAD has its length but not its bytes.
func writeReply(
    status: UInt16, body: StaticString = "", requestIsHead: Bool = false,
    connection: ResponseEditing.Connection = .stays, into writer: inout ByteWriter
) {
    writeStatusLine(status, into: &writer)
    writer.append(connection)
    if status >= 200, status != 204, status != 304 {
        if body.utf8CodeUnitCount > 0 { writer.append("Content-Type: text/plain\r\n") }
        writer.append("Content-Length: ")
        writer.append(decimal: UInt64(body.utf8CodeUnitCount))
        writer.append("\r\n")
    }
    writer.append("\r\n")
    if !requestIsHead { writer.append(body) }
}

/// A redirect as Gateway API's RequestRedirect says. `listenerPort` is the port that the client connected to,
/// in plain HTTP. Without any host the location is a path alone.
func writeRedirect(
    _ redirect: RedirectAction, _ head: RequestHead, _ bytes: Span<UInt8>, matchedPrefix: [UInt8],
    listenerPort: UInt16, connection: ResponseEditing.Connection = .stays, into writer: inout ByteWriter
) {
    writeStatusLine(redirect.status, into: &writer)
    writer.append(connection)
    writer.append("Content-Length: 0\r\nLocation: ")
    if redirect.host != nil || !head.host.isEmpty {
        let scheme = redirect.scheme ?? "http"
        writer.append(scheme.utf8)
        writer.append("://")
        if let host = redirect.host {
            writer.append(host.utf8)
        } else {
            writer.append(bytes.extracting(head.host.range))
        }
        let usual: UInt16? =
            switch scheme {
            case "http": 80
            case "https": 443
            default: nil
            }
        // A scheme that is named comes with its own port.
        let port = redirect.port ?? (redirect.scheme == nil ? listenerPort : usual ?? listenerPort)
        if port != usual {
            writer.append(":")
            writer.append(decimal: UInt64(port))
        }
    }
    writeTarget(head, bytes, redirect.path, matchedPrefix, into: &writer)
    writer.append("\r\n\r\n")
}

private func writeStatusLine(_ status: UInt16, into writer: inout ByteWriter) {
    writer.append("HTTP/1.1 ")
    writer.append(decimal: UInt64(status))
    writer.append(" ")
    writer.append(reasonPhrase(status))
    writer.append("\r\n")
}

/// Of the statuses that a proxy answers with by itself; others have none, as is allowed.
private func reasonPhrase(_ status: UInt16) -> StaticString {
    switch status {
    case 200: "OK"
    case 204: "No Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 417: "Expectation Failed"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: ""
    }
}
