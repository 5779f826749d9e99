// A client of the status server that says exactly what a test wants it to say.
import Glibc
import KmeshKit

struct HTTPAnswer: Sendable {
    var status = 0
    /// By lower-case name.
    var headers: [String: String] = [:]
    var body = ""

    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

    /// Reads a whole answer, chunks put together; `nil` for anything else.
    init?(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        // A line's end is one character.
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        var lines = text[..<end.lowerBound].split(separator: "\r\n").map(String.init)
        let words = lines.removeFirst().split(separator: " ")
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else { return nil }
        self.status = status
        for line in lines {
            let halves = line.split(separator: ":", maxSplits: 1)
            guard halves.count == 2 else { return nil }
            headers[halves[0].lowercased()] = halves[1].drop { $0 == " " }.description
        }
        body = String(text[end.upperBound...])
        guard headers["transfer-encoding"] == "chunked" else { return }
        guard let whole = Self.joined(Array(body.utf8)) else { return nil }
        body = whole
    }

    private static func joined(_ bytes: [UInt8]) -> String? {
        var rest = bytes[...]
        var whole: [UInt8] = []
        while let lineEnd = rest.firstIndex(of: 13) {
            let size = Int(String(decoding: rest[..<lineEnd], as: UTF8.self), radix: 16)
            guard let size, rest.count >= lineEnd - rest.startIndex + 2 + size else { return nil }
            if size == 0 { return String(decoding: whole, as: UTF8.self) }
            whole += rest[(lineEnd + 2)..<(lineEnd + 2 + size)]
            rest = rest[(lineEnd + 4 + size)...]
        }
        return nil
    }
}

extension String {
    fileprivate func range(of part: String) -> Range<String.Index>? {
        let (all, wanted) = (Array(utf8), Array(part.utf8))
        guard all.count >= wanted.count else { return nil }
        for start in 0...(all.count - wanted.count)
        where all[start] == wanted[0] && all[start..<(start + wanted.count)].elementsEqual(wanted) {
            let lower = utf8.index(startIndex, offsetBy: start)
            return lower..<utf8.index(lower, offsetBy: wanted.count)
        }
        return nil
    }
}

/// A blocking connection of at most 20 s for each step.
final class HTTPConnection {
    private let descriptor: Int32
    private var isOwned = true

    init(_ address: SocketAddress) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Errno(errno) }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(
                descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = address.port.bigEndian
        name.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.address.low).bigEndian
        let result = unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Errno(errno) }
    }

    deinit { if isOwned { close(descriptor) } }

    /// The descriptor, which is the caller's from now on.
    func release() -> Int32 {
        isOwned = false
        return descriptor
    }

    /// Whether the server took it all.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let rest = Array(bytes[sent...])
            let count = unsafe Glibc.send(descriptor, rest, rest.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Everything up to the end; `nil` when the connection was reset or nothing came in time.
    func receiveAll() -> [UInt8]? {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { return all }
            guard count > 0 else { return nil }
            all += buffer[..<count]
        }
    }
}

extension TestDaemon {
    /// Where the status server listens.
    func statusAddress() async throws -> SocketAddress {
        guard let text = try await status().statusAddress, let address = SocketAddress(text) else {
            throw Errno.noEntry
        }
        return address
    }

    /// One request to the status server, on a thread of its own.
    func http(
        _ method: String = "GET", _ target: String, headers: String = "", body: String = "",
        host: String = "127.0.0.1", at address: SocketAddress? = nil
    ) async throws -> HTTPAnswer {
        let address = if let address { address } else { try await statusAddress() }
        let request = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\(headers)\r\n\(body)"
        let answer = try await raw(request, at: address)
        guard let answer else { throw Errno.brokenPipe }
        return answer
    }

    /// What the server answers to these bytes; `nil` for nothing that could be read.
    func raw(_ request: String, at address: SocketAddress) async throws -> HTTPAnswer? {
        try await DedicatedThread.run("test-http") { () throws(Errno) in
            guard let connection = try? HTTPConnection(address) else { throw .connectionRefused }
            connection.send(request)
            return connection.receiveAll().flatMap { HTTPAnswer($0) }
        }
    }
}
