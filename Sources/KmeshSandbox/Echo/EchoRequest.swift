/// The head of an HTTP/1.x request, as far as the echo server needs it.
struct EchoRequest: Hashable {
    enum Reading: Hashable {
        /// More bytes are needed.
        case incomplete
        /// The connection cannot go on; the status tells why.
        case refused(status: Int)
        case complete(EchoRequest)
    }

    /// Longer heads are refused.
    static let headLimit = 8192
    /// Longer bodies are refused.
    static let bodyLimit = 1 << 40

    /// Where method and target are in the buffer.
    var method: Range<Int>
    var target: Range<Int>
    /// Bytes of the head, the empty line included.
    var headLength: Int
    var bodyLength = 0
    var keepsAlive = true
    var isHead = false
    var expectsContinue = false

    /// Reads one head from `bytes[start..<end]`.
    static func read(_ bytes: [UInt8], from start: Int, to end: Int) -> Reading {
        guard let headEnd = endOfHead(bytes, start, end) else {
            return end - start > headLimit ? .refused(status: 431) : .incomplete
        }
        guard headEnd - start <= headLimit else { return .refused(status: 431) }
        let lineEnd = endOfLine(bytes, start)
        guard var request = requestLine(bytes, start, lineEnd) else { return .refused(status: 400) }
        request.headLength = headEnd - start
        var line = lineEnd + 2
        while line < headEnd - 2 {
            let end = endOfLine(bytes, line)
            if let status = request.take(bytes, line, end) { return .refused(status: status) }
            line = end + 2
        }
        return .complete(request)
    }

    /// `GET /path HTTP/1.1`
    private static func requestLine(_ bytes: [UInt8], _ start: Int, _ end: Int) -> EchoRequest? {
        guard let space = index(of: 0x20, bytes, start, end), space > start,
            let second = index(of: 0x20, bytes, space + 1, end), second > space + 1,
            end - second == 9, matches(bytes, second + 1, end - 1, Word.version),
            bytes[end - 1] & 0xfe == 0x30
        else { return nil }
        var request = EchoRequest(method: start..<space, target: space + 1..<second, headLength: 0)
        request.keepsAlive = bytes[end - 1] == 0x31
        request.isHead = matches(bytes, start, space, Word.head)
        return request
    }

    /// Takes one header line. The status when the request is to be refused for it.
    private mutating func take(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int? {
        guard let colon = Self.index(of: 0x3a, bytes, start, end), colon > start else { return 400 }
        var from = colon + 1
        var to = end
        while from < to, bytes[from] == 0x20 || bytes[from] == 0x09 { from += 1 }
        while to > from, bytes[to - 1] == 0x20 || bytes[to - 1] == 0x09 { to -= 1 }
        // The length tells most names apart before their bytes are looked at.
        switch colon - start {
        case 14 where Self.matches(bytes, start, colon, Word.contentLength):
            guard let length = Self.number(bytes, from, to) else { return 400 }
            guard length <= Self.bodyLimit else { return 413 }
            bodyLength = length
        case 10 where Self.matches(bytes, start, colon, Word.connection):
            if Self.matches(bytes, from, to, Word.close) { keepsAlive = false }
            if Self.matches(bytes, from, to, Word.keepAlive) { keepsAlive = true }
        case 17 where Self.matches(bytes, start, colon, Word.transferEncoding):
            return 411
        case 6 where Self.matches(bytes, start, colon, Word.expect):
            expectsContinue = Self.matches(bytes, from, to, Word.hundredContinue)
        default:
            break
        }
        return nil
    }

    /// The index after the empty line.
    private static func endOfHead(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int? {
        var position = start + 3
        while position < end {
            // Only a line feed can end a head, so most bytes are looked at once.
            if bytes[position] == 0x0a, bytes[position - 1] == 0x0d, bytes[position - 2] == 0x0a,
                bytes[position - 3] == 0x0d
            {
                return position + 1
            }
            position += 1
        }
        return nil
    }

    /// The index of the line's carriage return; there is one before the end of the head.
    private static func endOfLine(_ bytes: [UInt8], _ start: Int) -> Int {
        var position = start
        while bytes[position] != 0x0d || bytes[position + 1] != 0x0a { position += 1 }
        return position
    }

    private static func index(of byte: UInt8, _ bytes: [UInt8], _ start: Int, _ end: Int) -> Int? {
        var position = start
        while position < end {
            if bytes[position] == byte { return position }
            position += 1
        }
        return nil
    }

    /// `text` is in small letters; the bytes are compared without regard to case.
    private static func matches(_ bytes: [UInt8], _ start: Int, _ end: Int, _ text: [UInt8]) -> Bool {
        guard end - start == text.count else { return false }
        var position = 0
        while position < text.count {
            let byte = bytes[start + position]
            let small = byte &- 0x41 < 26 ? byte | 0x20 : byte
            if small != text[position] { return false }
            position += 1
        }
        return true
    }

    private static func number(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int? {
        guard (1...15).contains(end - start) else { return nil }
        var number = 0
        for position in start..<end {
            guard bytes[position] &- 0x30 < 10 else { return nil }
            number = number * 10 + Int(bytes[position] - 0x30)
        }
        return number
    }
}

/// What is looked for in a head, in small letters.
private enum Word {
    static let version = Array("http/1.".utf8)
    static let head = Array("head".utf8)
    static let contentLength = Array("content-length".utf8)
    static let connection = Array("connection".utf8)
    static let close = Array("close".utf8)
    static let keepAlive = Array("keep-alive".utf8)
    static let transferEncoding = Array("transfer-encoding".utf8)
    static let expect = Array("expect".utf8)
    static let hundredContinue = Array("100-continue".utf8)
}
