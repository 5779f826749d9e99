/// A client's or server's end of a connection in tests: waits, but never for ever.
import Glibc
import KmeshKit

@testable import WaypointProxy

struct TestTimeout: Error {}

/// The peer closed within something.
struct TestEnd: Error, Equatable {
    var received: [UInt8]
}

final class TestSocket {
    static let patience = Duration.seconds(30)

    let descriptor: Int32
    private var pending: [UInt8] = []
    fileprivate var isOpen = true

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    convenience init(to address: SocketAddress) throws(Errno) {
        let descriptor = Streams.connect(StreamAddress(address))
        guard descriptor >= 0 else { throw Errno(-descriptor) }
        self.init(descriptor)
    }

    /// From an IPv4 address of this machine.
    convenience init(to address: SocketAddress, from source: IPAddress) throws(Errno) {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        guard descriptor >= 0 else { throw Errno(errno) }
        self.init(descriptor)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var result = unsafe withUnsafe(source, 0) { unsafe bind(descriptor, $0, size) }
        guard result == 0 else { throw Errno(errno) }
        result = unsafe withUnsafe(address.address, address.port) {
            unsafe Glibc.connect(descriptor, $0, size)
        }
        guard result == 0 || errno == EINPROGRESS else { throw Errno(errno) }
    }

    deinit { close() }

    func close() {
        if isOpen { Streams.close(descriptor) }
        isOpen = false
    }

    func reset() {
        Streams.resetOnClose(descriptor)
        close()
    }

    func finishSending() { Streams.finishSending(descriptor) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        let chunk = ByteChunk(capacity: max(1, bytes.count))
        chunk.write(bytes.span, at: 0)
        var done = 0
        let deadline = ContinuousClock.now + Self.patience
        while done < bytes.count {
            let count = Streams.send(descriptor, from: chunk, done..<bytes.count)
            if count >= 0 {
                done += count
            } else if [Streams.again, -107].contains(count) {
                guard ContinuousClock.now < deadline else { throw TestTimeout() }
                pause(.microseconds(500))
            } else {
                throw Errno(Int32(-count))
            }
        }
    }

    /// What is there, at least one byte; empty at the end.
    func receive(timeout: Duration = TestSocket.patience, limit: Int = 65536) throws -> [UInt8] {
        if !pending.isEmpty {
            defer { pending = [] }
            return pending
        }
        let chunk = ByteChunk(capacity: limit)
        while true {
            guard try !Poll.readable([descriptor], timeout: timeout).isEmpty else { throw TestTimeout() }
            let count = Streams.receive(descriptor, into: chunk, 0..<limit)
            if count == Streams.again { continue }
            guard count >= 0 else { throw Errno(Int32(-count)) }
            return chunk.read(0..<count) { bytes in bytes.indices.map { bytes[$0] } }
        }
    }

    func receiveAll() throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let more = try receive()
            if more.isEmpty { return all }
            all += more
        }
    }

    func receive(exactly count: Int) throws -> [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(count)
        while all.count < count {
            let more = try receive()
            guard !more.isEmpty else { throw TestEnd(received: all) }
            all += more
        }
        pending = Array(all[count...])
        return Array(all[..<count])
    }

    /// Up to and with the first appearance of `end`; `nil` when the peer closes before the first byte.
    func receive(through end: String) throws -> String? {
        let end = Array(end.utf8)
        var all: [UInt8] = []
        while true {
            let more = try receive()
            guard !more.isEmpty else {
                if all.isEmpty { return nil }
                throw TestEnd(received: all)
            }
            let from = max(0, all.count - end.count)
            all += more
            guard let found = all[from...].firstRange(of: end) else { continue }
            pending = Array(all[found.upperBound...])
            return String(decoding: all[..<found.upperBound], as: UTF8.self)
        }
    }

    /// Whether the peer closes without a byte more.
    func isClosed() throws -> Bool { try receive().isEmpty }
}

/// Lends a socket's address to a system call.
private func withUnsafe(
    _ address: IPAddress, _ port: UInt16, _ body: (UnsafePointer<sockaddr>) -> Int32
) -> Int32 {
    var raw = sockaddr_in()
    raw.sin_family = sa_family_t(AF_INET)
    raw.sin_port = port.bigEndian
    raw.sin_addr.s_addr = address.v4Bits.bigEndian
    return unsafe withUnsafePointer(to: &raw) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0) }
    }
}

func pause(_ duration: Duration) {
    _ = try? Poll.readable([], timeout: duration)
}

/// A message as tests read it.
struct TestMessage {
    /// The first line and the header lines, each without its end.
    var lines: [String]
    var body: [UInt8] = []

    var start: String { lines.first ?? "" }
    var status: Int { Int(start.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var text: String { String(decoding: body, as: UTF8.self) }

    func values(_ name: String) -> [String] {
        lines.dropFirst().compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
            return String(parts[1].drop { $0 == " " })
        }
    }

    subscript(_ name: String) -> String? { values(name).first }
}

extension TestSocket {
    /// `nil` when the peer closes instead.
    func readMessage(hasBody: Bool = true, isResponse: Bool = false) throws -> TestMessage? {
        guard let head = try receive(through: "\r\n\r\n") else { return nil }
        let lines = head.dropLast(2).split(separator: "\r\n").map(String.init)
        var message = TestMessage(lines: lines)
        guard hasBody, ![204, 304].contains(isResponse ? message.status : 0) else { return message }
        if message["transfer-encoding"] != nil {
            message.body = try readChunks()
        } else if let length = message["content-length"].flatMap({ Int($0) }) {
            message.body = try receive(exactly: length)
        } else if isResponse, message.status >= 200 {
            message.body = try receiveAll()
        }
        return message
    }

    func readResponse(hasBody: Bool = true) throws -> TestMessage {
        guard let message = try readMessage(hasBody: hasBody, isResponse: true) else {
            throw TestEnd(received: [])
        }
        return message
    }

    private func readChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while let line = try receive(through: "\r\n") {
            let size = Int(line.prefix { $0.isHexDigit }, radix: 16) ?? 0
            if size == 0 { break }
            body += try receive(exactly: size)
            _ = try receive(exactly: 2)
        }
        while let line = try receive(through: "\r\n"), line != "\r\n" {}
        return body
    }

    func request(_ text: String, hasBody: Bool = true) throws -> TestMessage {
        try send(text)
        return try readResponse(hasBody: hasBody)
    }
}

extension TestSocket {
    /// Somebody else closes it.
    func disown() { isOpen = false }
}
