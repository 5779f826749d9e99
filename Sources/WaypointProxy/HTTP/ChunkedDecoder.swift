/// Where a chunked body ends (RFC 9112 section 7.1), however its bytes arrive. It looks at framing only:
/// bytes of content are passed over in bulk, and all bytes can be sent on as they are.
///
/// Strict: sizes have digits and nothing else, all line ends are CRLF, and trailers that would change the
/// message itself are refused.
internal import CLinux

struct ChunkedDecoder: BitwiseCopyable {
    private enum State: UInt8, BitwiseCopyable {
        case size = 0
        case sizeBlank, sizeExtension, quoted, escaped, sizeEnd
        case content, contentReturn, contentEnd
        case lineStart, trailerName, trailerValue, trailerEnd, lastEnd, done
    }

    /// Of a chunk's head besides its size.
    private static let maximumExtension = 256
    /// Of all trailers together.
    private static let maximumTrailers = 8192

    private var state = State.size
    private var digits: UInt8 = 0
    /// Bytes of extension, or of trailers.
    private var used: UInt16 = 0
    /// Bytes of content to come; in a trailer's name its hash so far.
    private var left: Int64 = 0

    var isComplete: Bool { state == .done }

    /// Takes the next bytes of the connection. What follows the message is not touched.
    mutating func advance(_ bytes: Span<UInt8>) -> ChunkedProgress {
        var at = 0
        while at < bytes.count, state != .done {
            if state == .content {
                at &+= pass(bytes.count &- at)
            } else if let refusal = accept(bytes[at]) {
                return ChunkedProgress(consumed: at, kept: 0, verdict: .refused(refusal))
            } else {
                at &+= 1
            }
        }
        return ChunkedProgress(consumed: at, kept: 0, verdict: isComplete ? .complete : .incomplete)
    }

    /// The same over `range` of `chunk`, for a client of HTTP/1.0, which gets the content alone: its bytes
    /// are moved together at the start of the range, `kept` of them.
    mutating func dechunk(_ chunk: borrowing ByteChunk, _ range: Range<Int>) -> ChunkedProgress {
        var at = range.lowerBound
        var kept = 0
        while at < range.upperBound, state != .done {
            if state == .content {
                let count = pass(range.upperBound &- at)
                chunk.move(at..<(at &+ count), to: range.lowerBound &+ kept)
                kept &+= count
                at &+= count
            } else if let refusal = accept(chunk[at]) {
                return ChunkedProgress(
                    consumed: at &- range.lowerBound, kept: kept, verdict: .refused(refusal))
            } else {
                at &+= 1
            }
        }
        return ChunkedProgress(
            consumed: at &- range.lowerBound, kept: kept, verdict: isComplete ? .complete : .incomplete)
    }

    @inline(__always)
    private mutating func pass(_ available: Int) -> Int {
        let count = min(Int(left), available)
        left &-= Int64(count)
        if left == 0 { state = .contentReturn }
        return count
    }

    /// Takes one byte of framing.
    private mutating func accept(_ byte: UInt8) -> HTTPRefusal? {
        switch state {
        case .size: acceptSize(byte)
        case .sizeBlank, .sizeExtension, .quoted, .escaped: acceptExtension(byte)
        case .lineStart, .trailerName, .trailerValue: acceptTrailer(byte)
        case .contentReturn:
            expect(byte, ASCII.carriageReturn, then: .contentEnd, else: .badChunk)
        case .contentEnd:
            expect(byte, ASCII.lineFeed, then: .size, else: .badChunk)
        case .sizeEnd:
            expect(byte, ASCII.lineFeed, then: left == 0 ? .lineStart : .content, else: .badChunk)
        case .trailerEnd:
            expect(byte, ASCII.lineFeed, then: .lineStart, else: .badTrailer)
        case .lastEnd:
            expect(byte, ASCII.lineFeed, then: .done, else: .badTrailer)
        case .content, .done: .badChunk
        }
    }

    private mutating func expect(
        _ byte: UInt8, _ wanted: UInt8, then next: State, else refusal: HTTPRefusal
    ) -> HTTPRefusal? {
        guard byte == wanted else { return refusal }
        if state == .sizeEnd || state == .contentEnd { (digits, used) = (0, 0) }
        state = next
        return nil
    }

    private mutating func acceptSize(_ byte: UInt8) -> HTTPRefusal? {
        if let digit = hexadecimalDigit(byte) {
            // Sixteen digits are 64 bits, of which one is a sign.
            guard digits < 16, left >> 59 == 0 else { return .badChunk }
            left = left << 4 | Int64(digit)
            digits &+= 1
            return nil
        }
        guard digits > 0 else { return .badChunk }
        state = .sizeBlank
        return acceptExtension(byte)
    }

    /// Blanks may come before a semicolon only; then anything without controls, to the CR outside of quotes.
    private mutating func acceptExtension(_ byte: UInt8) -> HTTPRefusal? {
        if byte == ASCII.carriageReturn, state == .sizeExtension || state == .sizeBlank && used == 0 {
            state = .sizeEnd
            return nil
        }
        guard used < Self.maximumExtension, !isControl(byte) else { return .badChunk }
        used &+= 1
        switch (state, byte) {
        case (.sizeBlank, UInt8(ascii: ";")): state = .sizeExtension
        case (.sizeBlank, _): return ASCII.isBlank(byte) ? nil : .badChunk
        case (.escaped, _), (.sizeExtension, UInt8(ascii: "\"")): state = .quoted
        case (.quoted, UInt8(ascii: "\"")): state = .sizeExtension
        case (.quoted, UInt8(ascii: "\\")): state = .escaped
        default: break
        }
        return nil
    }

    private mutating func acceptTrailer(_ byte: UInt8) -> HTTPRefusal? {
        if state == .lineStart, byte == ASCII.carriageReturn {
            state = .lastEnd
            return nil
        }
        guard used < Self.maximumTrailers else { return .badTrailer }
        used &+= 1
        switch state {
        case .trailerValue:
            if byte == ASCII.carriageReturn {
                state = .trailerEnd
            } else if isControl(byte) {
                return .badTrailer
            }
        case .trailerName where byte == ASCII.colon:
            guard !forbiddenTrailers.contains(left) else { return .badTrailer }
            state = .trailerValue
        default:
            guard kmesh_is_token_byte(byte) else { return .badTrailer }
            left = hash(state == .lineStart ? hashSeed : left, byte)
            state = .trailerName
        }
        return nil
    }
}

struct ChunkedProgress: Equatable {
    /// Bytes that belong to the message; up to the one that is wrong when it is refused.
    var consumed: Int
    /// Bytes of content, where it is taken out of its framing.
    var kept: Int
    /// `complete` when the message ends within the bytes.
    var verdict: ParseVerdict
}

private func isControl(_ byte: UInt8) -> Bool {
    byte < ASCII.space && byte != ASCII.tab || byte == 0x7f
}

private func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

// A name may arrive byte by byte, and is never kept: its 64-bit FNV-1a hash is.
private let hashSeed = Int64(bitPattern: 0xcbf2_9ce4_8422_2325)

private func hash(_ hash: Int64, _ byte: UInt8) -> Int64 {
    let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
    return (hash ^ Int64(isUpper ? byte | 0x20 : byte)) &* 0x100_0000_01b3
}

/// What says how far a message goes, who gets it, who sent it and how to read it (RFC 9110 section 6.5.1).
private let forbiddenTrailers: [Int64] = [
    "content-length", "transfer-encoding", "trailer", "connection", "keep-alive", "proxy-connection", "te",
    "upgrade", "host", "expect", "max-forwards", "range", "cache-control", "authorization", "cookie",
    "set-cookie", "proxy-authorization", "content-type", "content-encoding", "content-range",
].map { (name: String) in name.utf8.reduce(hashSeed, hash) }
