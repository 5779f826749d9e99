internal import KmeshKit

/// Lines for connections, of one batch. The text is Kmesh's (v0.5.0), field by field and in its order.
struct AccessLog {
    let format: AccessLogFormat
    private(set) var bytes: [UInt8] = []
    private(set) var lines = 0
    /// Nanoseconds from the monotonic clock's zero to 1970.
    private let offset: Int64
    /// The second that lines were written for last, and what a text line of it begins with.
    private var second: (number: Int64, date: String, time: String, beginning: [UInt8]) = (.min, "", "", [])

    init(_ format: AccessLogFormat, offset: Int64 = MonotonicClock.offset()) {
        self.format = format
        self.offset = offset
    }

    mutating func write(_ record: ConnectionRecord, _ parties: ConnectionParties) {
        switch format {
        case .text: writeText(record, Texts(parties, record.direction))
        case .json:
            lines += 1
            writeJSON(record, parties)
            bytes.append(UInt8(ascii: "\n"))
        }
    }

    /// What the text lines of the same parties have in common.
    struct Texts {
        let source: [UInt8]
        let destination: [UInt8]

        init(_ parties: ConnectionParties, _ direction: ConnectionRecord.Direction) {
            source =
                Array(", src.workload=\(parties.source?.name ?? "-")".utf8)
                + Array(", src.namespace=\(parties.source?.namespace ?? "-"), dst.addr=".utf8)
            destination =
                Array(
                    ", dst.service=\(parties.service?.key.hostname ?? "-")".utf8)
                + Array(", dst.workload=\(parties.destination?.name ?? "-")".utf8)
                + Array(", dst.namespace=\(parties.destination?.namespace ?? "-")".utf8)
                + Array(", direction=\(direction.name), sent_bytes=".utf8)
        }
    }

    /// - Parameter texts: those of the parties.
    mutating func writeText(_ record: ConnectionRecord, _ texts: Texts) {
        lines += 1
        let (source, destination) = record.ends
        let nanoseconds = move(to: record.reported)
        bytes += second.beginning
        bytes.append(decimal: nanoseconds, width: 9)
        bytes += " +0000 UTC src.addr=".utf8
        bytes.append(source)
        bytes += texts.source
        bytes.append(destination)
        bytes += texts.destination
        bytes.append(decimal: record.sent)
        bytes += ", received_bytes=".utf8
        bytes.append(decimal: record.received)
        bytes += ", duration=".utf8
        append(milliseconds: record.duration)
        bytes += "ms\n".utf8
    }

    private mutating func writeJSON(_ record: ConnectionRecord, _ parties: ConnectionParties) {
        let (source, destination) = record.ends
        let text = { (value: String?) in JSONValue.string(value ?? "-").text() }
        bytes += "{\"time\":\"".utf8
        append(iso8601: record.reported)
        bytes += "\",\"event\":\"\(record.isClosed ? "close" : "report")\",\"start_time\":\"".utf8
        append(iso8601: record.opened)
        bytes += "\",\"src.addr\":\"\(source)\",\"src.workload\":\(text(parties.source?.name))".utf8
        bytes += ",\"src.namespace\":\(text(parties.source?.namespace))".utf8
        bytes += ",\"dst.addr\":\"\(destination)\"".utf8
        bytes += ",\"dst.service\":\(text(parties.service?.key.hostname))".utf8
        bytes += ",\"dst.workload\":\(text(parties.destination?.name))".utf8
        bytes += ",\"dst.namespace\":\(text(parties.destination?.namespace))".utf8
        if let dialed = record.dialed { bytes += ",\"dialed.addr\":\"\(dialed)\"".utf8 }
        bytes += ",\"direction\":\"\(record.direction.name)\",\"state\":\"\(record.state.name)\"".utf8
        bytes += ",\"sent_bytes\":\(record.sent),\"received_bytes\":\(record.received)".utf8
        bytes += ",\"retransmissions\":\(record.retransmissions),\"packet_loss\":\(record.lost)".utf8
        bytes += ",\"srtt_us\":\(record.smoothedRTT),\"min_rtt_us\":\(record.leastRTT)".utf8
        bytes += ",\"duration_ms\":".utf8
        append(milliseconds: record.duration)
        if let error = record.error { bytes += ",\"error\":\(text("\(error)"))".utf8 }
        bytes.append(UInt8(ascii: "}"))
    }

    /// With six decimals, which are the nanoseconds.
    private mutating func append(milliseconds nanoseconds: UInt64) {
        bytes.append(decimal: nanoseconds / 1_000_000)
        bytes.append(UInt8(ascii: "."))
        bytes.append(decimal: nanoseconds % 1_000_000, width: 6)
    }

    private mutating func append(iso8601 monotonic: UInt64) {
        let nanoseconds = move(to: monotonic)
        bytes += "\(second.date)T\(second.time).".utf8
        bytes.append(decimal: nanoseconds, width: 9)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// Sets `second`, and returns the nanoseconds after it.
    private mutating func move(to monotonic: UInt64) -> UInt64 {
        let time = MonotonicClock.wallClock(at: monotonic, offset: offset)
        if time.seconds != second.number {
            let text = time.iso8601
            let (date, clock) = (String(text.prefix(10)), String(text.dropFirst(11).prefix(8)))
            second = (time.seconds, date, clock, Array("accesslog: \(date) \(clock).".utf8))
        }
        return UInt64(time.nanoseconds)
    }
}

extension ConnectionRecord {
    /// Who dialed, and who was dialed.
    fileprivate var ends: (source: SocketAddress, destination: SocketAddress) {
        direction == .inbound ? (remote, local) : (local, remote)
    }
}
