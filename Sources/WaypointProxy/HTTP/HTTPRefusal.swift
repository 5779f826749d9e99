/// Why a message is not taken. Each is counted by its name, and a request is answered with its status.
enum HTTPRefusal: UInt8, BitwiseCopyable, CaseIterable {
    case badRequestLine, badTarget, badVersion, badHeaderName, badHeaderValue, bareLineEnd, foldedHeader
    case spaceBeforeColon
    case missingHost, duplicateHost, badHost
    case badContentLength, conflictingContentLength, lengthAndEncoding, badTransferEncoding
    case encodingInOldVersion
    case badChunk, badTrailer
    case lineTooLong, headTooLarge, tooManyFields, bodyTooLarge
    case connectRefused, versionNotSupported, expectationUnknown
    case badStatusLine

    var status: UInt16 {
        switch self {
        case .lineTooLong: 414
        case .headTooLarge, .tooManyFields: 431
        case .bodyTooLarge: 413
        case .badTransferEncoding: 501
        case .connectRefused: 405
        case .versionNotSupported: 505
        case .expectationUnknown: 417
        case .badStatusLine: 502
        default: 400
        }
    }
}
