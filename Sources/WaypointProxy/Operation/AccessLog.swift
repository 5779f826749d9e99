/// One worker's part of the access log. A request's texts are kept from its head to its end in an entry of
/// fixed size; lines gather in a buffer that is written once for each turn of the loop. Nothing here waits:
/// what cannot be written is dropped, and counted.
internal import KmeshKit

struct AccessLog: ~Copyable {
    /// Bytes of a request's texts that its line can show; longer ones are cut, which `…` shows.
    private static let entrySize = 1024
    /// A line with what surrounds it; one that outgrows it is written with texts cut to `shortText` bytes.
    private static let lineSize = LogFile.atomicSize
    private static let shortText = 48
    private static let bufferSize = 64 << 10

    let format: AccessLogFormat
    private let file: LogFile?
    private let entries: Slab<Entry>
    private let texts: ByteChunk
    /// Entries that were never used are from `fresh` on; those that were form a list.
    private var fresh: Int32 = 0
    private var free: Int32 = -1
    private var line: ByteWriter
    private let buffer: ByteChunk
    private var pending = 0..<0
    private var stamp = TimeStamp()

    /// `capacity` is how many requests can be under way at once with a line of their own.
    init(_ format: AccessLogFormat, to file: LogFile?, capacity: Int32) {
        self.format = file == nil ? .off : format
        self.file = file
        let isOn = self.format != .off
        entries = Slab(capacity: isOn ? capacity : 1)
        texts = ByteChunk(capacity: isOn ? Int(capacity) * Self.entrySize : 1)
        line = ByteWriter(capacity: isOn ? Self.lineSize : 1)
        buffer = ByteChunk(capacity: isOn ? Self.bufferSize : 1)
    }

    var isOn: Bool { format != .off }

    /// An entry for an exchange that begins; -1 when the log is off or has no entry left.
    mutating func begin(_ telemetry: borrowing WorkerTelemetry) -> Int32 {
        guard isOn else { return -1 }
        let number: Int32
        if free >= 0 {
            number = free
            free = entries[number].next
        } else if fresh < entries.capacity {
            number = fresh
            fresh += 1
        } else {
            telemetry.count(.accessLogDropped)
            return -1
        }
        entries[number] = Entry()
        return number
    }

    /// An entry with the texts of a request's head, which `bytes` begins with.
    mutating func begin(
        _ head: RequestHead, _ fields: Span<HeaderField>, _ bytes: Span<UInt8>,
        _ telemetry: borrowing WorkerTelemetry
    ) -> Int32 {
        let number = begin(telemetry)
        guard number >= 0 else { return number }
        entries[number].minorVersion = head.minorVersion
        keep(.method, bytes, head.method, in: number)
        keep(.authority, bytes, head.authority, in: number)
        for index in fields.indices {
            let field = fields[index]
            switch field.known {
            case .requestID: keep(.requestID, bytes, field.value, in: number)
            case .forwardedFor: keep(.forwardedFor, bytes, field.value, in: number)
            case .userAgent: keep(.userAgent, bytes, field.value, in: number)
            default: break
            }
        }
        // Last, so that a long one costs nothing but its own end.
        keep(.path, bytes, head.target, in: number)
        return number
    }

    /// Gives an entry a text that is not in the request's head: an id that the proxy made.
    mutating func set(_ text: AccessLogText, _ bytes: Span<UInt8>, in number: Int32) {
        guard number >= 0 else { return }
        keep(text, bytes, ByteRange(start: 0, count: Int32(bytes.count)), in: number)
    }

    private func keep(_ text: AccessLogText, _ bytes: Span<UInt8>, _ range: ByteRange, in number: Int32) {
        let start = Int(entries[number].used)
        let count = min(Int(range.count), Self.entrySize - start)
        guard range.start >= 0, Int(range.start) + Int(range.count) <= bytes.count else { return }
        let source = bytes.extracting(Int(range.start)..<(Int(range.start) + count))
        texts.write(source, at: Int(number) * Self.entrySize + start)
        entries[number].texts[text.rawValue] = ByteRange(start: Int32(start), count: Int32(count))
        entries[number].used = Int16(start + count)
        if count < Int(range.count) { entries[number].cut |= 1 << UInt8(text.rawValue) }
    }

    /// Writes the line of an exchange that ends `now`, and frees its entry.
    /// `details` are those of the response code, empty for none.
    mutating func finish(
        _ number: Int32, _ record: ExchangeRecord, upstream: SocketAddress?, details: [UInt8] = [],
        now: WallClock, _ telemetry: borrowing WorkerTelemetry
    ) {
        guard number >= 0 else { return }
        defer { release(number) }
        stamp.move(to: now, minus: record.duration)
        write(number, record, upstream, details, limit: Self.entrySize)
        if line.hasOverflowed { write(number, record, upstream, details, limit: Self.shortText) }
        if pending.upperBound + line.count > buffer.capacity { flush(telemetry) }
        guard pending.upperBound + line.count <= buffer.capacity else {
            telemetry.count(.accessLogDropped)
            return
        }
        let end = pending.upperBound
        line.read { bytes in buffer.write(bytes, at: end) }
        pending = pending.lowerBound..<(end + line.count)
        telemetry.count(.accessLogLines)
    }

    /// Frees the entry of an exchange that gets no line.
    mutating func release(_ number: Int32) {
        guard number >= 0 else { return }
        entries[number].next = free
        free = number
    }

    /// Writes what has gathered; what is not taken now stays for the next time.
    mutating func flush(_ telemetry: borrowing WorkerTelemetry) {
        guard !pending.isEmpty, let file else { return }
        while !pending.isEmpty {
            let piece = file.isRegular ? pending : wholeLines()
            do throws(LogFile.Failure) {
                let count = try file.write(buffer, piece)
                pending = (pending.lowerBound + count)..<pending.upperBound
            } catch {
                switch error {
                case .busy:
                    moveToStart()
                    return
                case .failed:
                    // A full disk, a reader that is gone: newer lines may fare better.
                    telemetry.count(.accessLogDropped, countLines())
                    pending = 0..<0
                }
            }
        }
        pending = 0..<0
    }

    /// As many lines as a pipe takes without mixing them with those of others.
    private func wholeLines() -> Range<Int> {
        let limit = min(pending.upperBound, pending.lowerBound + LogFile.atomicSize)
        if limit == pending.upperBound { return pending }
        for end in (pending.lowerBound..<limit).reversed() where buffer[end] == UInt8(ascii: "\n") {
            return pending.lowerBound..<(end + 1)
        }
        return pending.lowerBound..<limit
    }

    private mutating func moveToStart() {
        guard pending.lowerBound > 0 else { return }
        buffer.move(pending, to: 0)
        pending = 0..<pending.count
    }

    private func countLines() -> Int64 {
        var count: Int64 = 0
        for index in pending where buffer[index] == UInt8(ascii: "\n") { count += 1 }
        return count
    }

    /// Not private: tests see the layout of what holds it.
    struct Entry: BitwiseCopyable {
        var texts: InlineArray<6, ByteRange> = .init(repeating: ByteRange())
        var used: Int16 = 0
        /// A bit for each text that is longer than what is kept of it.
        var cut: UInt8 = 0
        var minorVersion: UInt8 = 1
        var next: Int32 = -1
    }
}

// Lines.
extension AccessLog {
    private mutating func write(
        _ number: Int32, _ record: ExchangeRecord, _ upstream: SocketAddress?, _ details: [UInt8], limit: Int
    ) {
        line.clear()
        switch format {
        case .off: return
        case .text: writeText(number, record, upstream, details, limit)
        case .json: writeJSON(number, record, upstream, details, limit)
        }
        line.append(UInt8(ascii: "\n"))
    }

    private mutating func writeText(
        _ number: Int32, _ record: ExchangeRecord, _ upstream: SocketAddress?, _ details: [UInt8],
        _ limit: Int
    ) {
        line.append("[")
        line.append(stamp.text)
        line.append("] \"")
        append(.method, of: number, limit, as: .word)
        line.append(" ")
        append(.path, of: number, limit, as: .word)
        line.append(" ")
        appendProtocol(number, record)
        line.append("\" ")
        line.append(decimal: UInt64(record.status))
        line.append(" ")
        line.append(record.reason.flag)
        for value in [record.bytesReceived, record.bytesSent, record.duration / 1000] {
            line.append(" ")
            line.append(decimal: UInt64(clamping: value))
        }
        line.append(" ")
        if record.upstreamDuration > 0 {
            line.append(decimal: UInt64(record.upstreamDuration / 1000))
        } else {
            line.append("-")
        }
        for text in [AccessLogText.forwardedFor, .userAgent, .requestID, .authority] {
            line.append(" \"")
            append(text, of: number, limit, as: .text)
            line.append("\"")
        }
        line.append(" \"")
        if let upstream { line.append(Array(upstream.description.utf8)) } else { line.append("-") }
        line.append("\" \"")
        if details.isEmpty { line.append("-") } else { AccessLogEscape.text(details.span, to: &line) }
        line.append("\"")
    }

    private mutating func writeJSON(
        _ number: Int32, _ record: ExchangeRecord, _ upstream: SocketAddress?, _ details: [UInt8],
        _ limit: Int
    ) {
        line.append("{\"start_time\":\"")
        line.append(stamp.text)
        line.append("\"")
        let names: [(StaticString, AccessLogText)] = [
            (",\"method\":", .method), (",\"path\":", .path), (",\"x_forwarded_for\":", .forwardedFor),
            (",\"user_agent\":", .userAgent), (",\"request_id\":", .requestID),
            (",\"authority\":", .authority),
        ]
        for (name, text) in names {
            line.append(name)
            appendJSON(text, of: number, limit)
        }
        line.append(",\"protocol\":")
        line.append(
            record.isPassthrough
                ? "null" : entries[number].minorVersion == 0 ? "\"HTTP/1.0\"" : "\"HTTP/1.1\"")
        line.append(",\"response_code\":")
        line.append(decimal: UInt64(record.status))
        line.append(",\"response_flags\":\"")
        line.append(record.reason.flag)
        line.append("\",\"response_code_details\":")
        appendJSON(details)
        let numbers: [(StaticString, Int64)] = [
            (",\"bytes_received\":", record.bytesReceived), (",\"bytes_sent\":", record.bytesSent),
            (",\"duration\":", record.duration / 1000),
        ]
        for (name, value) in numbers {
            line.append(name)
            line.append(decimal: UInt64(clamping: value))
        }
        line.append(",\"upstream_service_time\":")
        if record.upstreamDuration > 0 {
            line.append(decimal: UInt64(record.upstreamDuration / 1000))
        } else {
            line.append("null")
        }
        line.append(",\"upstream_host\":")
        if let upstream {
            line.append(Array("\"\(upstream)\"}".utf8))
        } else {
            line.append("null}")
        }
    }

    private mutating func appendProtocol(_ number: Int32, _ record: ExchangeRecord) {
        if record.isPassthrough {
            line.append("-")
        } else {
            line.append(entries[number].minorVersion == 0 ? "HTTP/1.0" : "HTTP/1.1")
        }
    }

    private enum Escape { case word, text, json }

    /// `-` for none.
    private mutating func append(
        _ text: AccessLogText, of number: Int32, _ limit: Int, as escape: Escape
    ) {
        let range = entries[number].texts[text.rawValue]
        guard !range.isEmpty else { return line.append("-") }
        let count = min(Int(range.count), limit)
        let start = Int(number) * Self.entrySize + Int(range.start)
        texts.read(start..<(start + count)) { bytes in
            switch escape {
            case .word: AccessLogEscape.text(bytes, to: &line, asWord: true)
            case .text: AccessLogEscape.text(bytes, to: &line)
            case .json: AccessLogEscape.json(bytes, to: &line)
            }
        }
        let isCut = entries[number].cut & 1 << UInt8(text.rawValue) != 0 || count < Int(range.count)
        if isCut { line.append("…") }
    }

    private mutating func appendJSON(_ details: [UInt8]) {
        if details.isEmpty { return line.append("null") }
        line.append("\"")
        AccessLogEscape.json(details.span, to: &line)
        line.append("\"")
    }

    private mutating func appendJSON(_ text: AccessLogText, of number: Int32, _ limit: Int) {
        guard !entries[number].texts[text.rawValue].isEmpty else { return line.append("null") }
        line.append("\"")
        append(text, of: number, limit, as: .json)
        line.append("\"")
    }
}

/// The start of an exchange as text; the day and the second are worked out anew only when they change.
struct TimeStamp: ~Copyable {
    private var seconds = Int64.min
    private(set) var text = [UInt8]()

    mutating func move(to now: WallClock, minus microseconds: Int64) {
        let total = now.seconds * 1_000_000 + now.nanoseconds / 1000 - microseconds
        let (second, rest) = (total / 1_000_000, total % 1_000_000)
        if second != seconds {
            seconds = second
            text = Array(WallClock(seconds: second, nanoseconds: 0).iso8601.utf8)
        }
        // `2026-11-23T01:02:03.456Z`: the fraction has the three places before the last.
        guard text.count >= 4 else { return }
        for (place, divisor) in [(4, 100_000), (3, 10_000), (2, 1_000)] as [(Int, Int64)] {
            text[text.count - place] = UInt8(ascii: "0") + UInt8(rest / divisor % 10)
        }
    }
}
