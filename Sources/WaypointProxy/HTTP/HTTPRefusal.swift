/// Why a message is not taken. Each is counted by its name, and a request is answered with its status.
enum HTTPRefusal: UInt8, BitwiseCopyable, CaseIterable {
    case badRequestLine, badTarget, badVersion, badHeaderName, badHeaderValue, bareLineEnd, foldedHeader
    case spaceBeforeColon
    case missingHost, duplicateHost, badHost
    case badContentLength, conflictingContentLength, lengthAndEncoding, badTransferEncoding
    case unknownTransferEncoding
    case encodingInOldVersion
    case tooManyConnectionOptions
    case badChunk, badTrailer
    case lineTooLong, headTooLarge, tooManyFields, bodyTooLarge
    case connectRefused, versionNotSupported, expectationUnknown
    case badStatusLine

    /// For a request. A response that is refused becomes 502, whatever the reason.
    var status: UInt16 {
        switch self {
        case .lineTooLong: 414
        case .headTooLarge, .tooManyFields: 431
        case .bodyTooLarge: 413
        // For no resource do we know the method, or the coding.
        case .connectRefused, .unknownTransferEncoding: 501
        case .versionNotSupported: 505
        case .expectationUnknown: 417
        case .badStatusLine: 502
        default: 400
        }
    }
}
