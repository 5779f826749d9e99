/// Why a request to the status server is not taken, for whoever sent it.
extension HTTPRefusal {
    var sentence: String {
        switch self {
        case .badRequestLine: "the request line is not METHOD TARGET HTTP/1.1"
        case .badTarget: "the request's target is neither a path nor an http URI"
        case .badVersion: "the request line does not end in a version of HTTP"
        case .badHeaderName: "a header's name has a character that names do not have"
        case .badHeaderValue: "a header's value has a control character"
        case .bareLineEnd: "a line ends in something else than CR LF"
        case .foldedHeader: "a header goes on in another line, which HTTP/1.1 does not have any more"
        case .spaceBeforeColon: "there is a space between a header's name and its colon"
        case .missingHost: "the request has no Host header"
        case .duplicateHost: "the request has several Host headers"
        case .badHost: "the request's host is not a name or address with an optional port"
        case .badContentLength: "Content-Length is not a number"
        case .conflictingContentLength: "the request has several values of Content-Length"
        case .lengthAndEncoding: "the request has both Content-Length and Transfer-Encoding"
        case .badTransferEncoding: "Transfer-Encoding does not end in chunked"
        case .unknownTransferEncoding: "only the transfer encoding chunked is known here"
        case .encodingInOldVersion: "HTTP/1.0 has no Transfer-Encoding"
        case .tooManyConnectionOptions: "the Connection header names too many options"
        case .badChunk: "a chunk of the body is malformed"
        case .badTrailer: "a trailer of the body is malformed"
        case .lineTooLong: "the request line is too long"
        case .headTooLarge: "the request's head is too large"
        case .tooManyFields: "the request has too many headers"
        case .bodyTooLarge: "the request's body is too large"
        case .connectRefused: "CONNECT is for proxies; this is none"
        case .versionNotSupported: "only HTTP/1.0 and HTTP/1.1 are spoken here"
        case .expectationUnknown: "only the expectation 100-continue is known"
        case .badStatusLine: "that is not a request"
        }
    }
}
