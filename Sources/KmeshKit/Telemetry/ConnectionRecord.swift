/// What a program reports of a TCP connection of an enrolled workload: `struct kmesh_connection_record`.
internal import CKmeshABI

public struct ConnectionRecord: Hashable, Sendable {
    public enum Direction: Hashable, Sendable {
        case inbound, outbound

        public var name: String { self == .inbound ? "INBOUND" : "OUTBOUND" }
    }

    /// The cookie of the network namespace whose socket it is.
    public var namespaceCookie: UInt64
    public var direction: Direction
    public var local: SocketAddress
    public var remote: SocketAddress
    /// What the workload dialed, where that was translated.
    public var dialed: SocketAddress?
    /// Nanoseconds of the monotonic clock.
    public var opened: UInt64
    public var reported: UInt64
    /// Bytes of payload, from the local end.
    public var sent: UInt64
    public var received: UInt64
    /// Segments.
    public var retransmissions: UInt32
    public var lost: UInt32
    /// What came since the report before.
    public var news: News
    /// Smoothed and least round-trip times in microseconds; 0: never measured.
    public var smoothedRTT: UInt32
    public var leastRTT: UInt32
    public var state: TCPState
    /// Why it could not be established, or was cut off.
    public var error: Errno?
    public var isClosed: Bool
    public var isEstablished: Bool
    /// Whether it is the first report of this connection.
    public var isFirst: Bool

    public struct News: Hashable, Sendable {
        public var sent: UInt64
        public var received: UInt64
        public var retransmissions: UInt32
        public var lost: UInt32

        public init(sent: UInt64 = 0, received: UInt64 = 0, retransmissions: UInt32 = 0, lost: UInt32 = 0) {
            self.sent = sent
            self.received = received
            self.retransmissions = retransmissions
            self.lost = lost
        }
    }

    /// Nanoseconds that the connection has lasted.
    public var duration: UInt64 { reported > opened ? reported - opened : 0 }

    /// A connection attempt that came to nothing.
    public var hasFailed: Bool { isClosed && !isEstablished }
}

/// The states of TCP by the kernel's numbers.
public enum TCPState: UInt8, Hashable, Sendable, CaseIterable {
    case established = 1
    case synSent, synReceived, finWait1, finWait2, timeWait, close, closeWait, lastAck, listen, closing
    case newSynReceived

    /// As `ss` and RFC 9293 have it.
    public var name: String {
        switch self {
        case .established: "ESTABLISHED"
        case .synSent: "SYN_SENT"
        case .synReceived: "SYN_RECEIVED"
        case .finWait1: "FIN_WAIT1"
        case .finWait2: "FIN_WAIT2"
        case .timeWait: "TIME_WAIT"
        case .close: "CLOSED"
        case .closeWait: "CLOSE_WAIT"
        case .lastAck: "LAST_ACK"
        case .listen: "LISTEN"
        case .closing: "CLOSING"
        case .newSynReceived: "SYN_RECEIVED"
        }
    }
}

extension ConnectionRecord {
    /// Bytes of one record.
    public static var size: Int { MemoryLayout<kmesh_connection_record>.size }

    /// `nil` for bytes that are no record.
    public init?(_ bytes: Span<UInt8>) {
        guard let record = bytes.record(as: kmesh_connection_record.self) else { return nil }
        self.init(record)
    }

    init?(_ record: kmesh_connection_record) {
        switch UInt32(record.direction) {
        case KMESH_INBOUND.rawValue: direction = .inbound
        case KMESH_OUTBOUND.rawValue: direction = .outbound
        default: return nil
        }
        namespaceCookie = record.netns_cookie
        local = SocketAddress(IPAddress(record.local_address), record.local_port)
        remote = SocketAddress(IPAddress(record.remote_address), record.remote_port)
        dialed =
            record.dialed_port == 0
            ? nil : SocketAddress(IPAddress(record.dialed_address), record.dialed_port)
        (opened, reported) = (record.opened_ns, record.reported_ns)
        (sent, received) = (record.sent, record.received)
        (retransmissions, lost) = (record.retransmissions, record.lost)
        news = News(
            sent: record.new_sent, received: record.new_received,
            retransmissions: record.new_retransmissions, lost: record.new_lost)
        (smoothedRTT, leastRTT) = (record.srtt_us, record.min_rtt_us == UInt32.max ? 0 : record.min_rtt_us)
        state = TCPState(rawValue: record.state) ?? .close
        error = record.error == 0 ? nil : Errno(Int32(truncatingIfNeeded: record.error))
        isClosed = record.flags & KMESH_RECORD_CLOSED.rawValue != 0
        isEstablished = record.flags & KMESH_CONNECTION_ESTABLISHED.rawValue != 0
        isFirst = record.flags & KMESH_CONNECTION_REPORTED.rawValue == 0
    }
}
