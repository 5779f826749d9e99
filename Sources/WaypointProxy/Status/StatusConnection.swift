/// One connection of the status server: a request, an answer, the end.
internal import KmeshKit

final class StatusConnection {
    enum State {
        case reading, waiting, writing
        /// The answer is sent, and the client still sends: were the socket closed now, the client's machine
        /// would throw the answer away.
        case lingering
    }

    enum Reading {
        case goesOn, ended
        case refused(UInt16, String)
        case complete(StatusRequest)
    }

    let socket: FileDescriptor
    private let isLocal: Bool
    var state = State.reading
    var deadline: ContinuousClock.Instant
    private var received: [UInt8] = []
    private var request = StatusRequest(method: "GET", path: "/")
    /// Bytes of the request's body that have not come yet; nil until its head is whole.
    private var missing: Int?
    /// Whether the client may have sent what nobody has read.
    private(set) var hasUnread = false
    /// What is discarded while it lingers.
    private var patience = 1 << 20
    private var body: (any StatusBody)?
    private var isChunked = false
    private var output: [UInt8] = []
    private var sent = 0

    init(_ socket: consuming FileDescriptor, isLocal: Bool, deadline: ContinuousClock.Instant) {
        self.socket = socket
        self.isLocal = isLocal
        self.deadline = deadline
    }

    /// Whether nobody loses anything when it ends.
    var isIdle: Bool { state == .reading || state == .lingering }

    func read(limits: StatusServer.Limits, fields: borrowing Slab<HeaderField>) -> Reading {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            do throws(Errno) {
                let count = try InternetSocket.receive(socket, into: &buffer)
                if count == 0 { return .ended }
                if let missing {
                    self.missing = missing - count
                } else {
                    received += buffer[..<count]
                }
            } catch {
                return error == .wouldBlock ? .goesOn : .ended
            }
            if missing == nil, let refusal = readHead(limits, fields) { return refusal }
            guard let missing, missing <= 0 else { continue }
            hasUnread = hasUnread || missing < 0
            return .complete(request)
        }
    }

    /// Sets `missing` when the head is whole.
    private func readHead(
        _ limits: StatusServer.Limits, _ fields: borrowing Slab<HeaderField>
    ) -> Reading? {
        var head = RequestHead()
        switch parseRequestHead(received.span, limits: limits.head, into: &head, fields: fields) {
        case .incomplete: return nil
        case .refused(let refusal): return refuse(refusal.status, refusal.sentence)
        case .complete: break
        }
        request = StatusRequest(method: text(head.method), path: text(head.path), query: text(head.query))
        (request.minorVersion, request.isLocal, request.host) = (head.minorVersion, isLocal, text(head.host))
        switch head.framing {
        case .none, .untilClose:
            missing = Int(head.count) - received.count
        case .chunked:
            return refuse(411, "send a Content-Length, or no body: queries say everything")
        case .length:
            guard head.contentLength <= Int64(limits.body) else {
                return refuse(
                    413,
                    "a body of \(head.contentLength) bytes is over the limit of \(limits.body); send none")
            }
            // Who waits for leave to send the body has the answer instead.
            hasUnread = head.expectsContinue
            let wanted = head.expectsContinue ? 0 : Int(head.contentLength)
            missing = Int(head.count) + wanted - received.count
        }
        return nil
    }

    private func refuse(_ status: UInt16, _ sentence: String) -> Reading {
        hasUnread = true
        return .refused(status, sentence)
    }

    private func text(_ range: ByteRange) -> String {
        String(decoding: received[range.range], as: UTF8.self)
    }

    func begin(_ response: StatusResponse) {
        state = .writing
        isChunked = response.body.length == nil && request.minorVersion > 0
        output = response.head(for: request, isChunked: isChunked)
        sent = 0
        body = request.method == "HEAD" ? nil : response.body
    }

    /// Sends what the socket takes, but no more than a few pieces, for others wait too; whether everything is
    /// sent.
    func write() throws(Errno) -> Bool {
        for _ in 0..<4 {
            while sent < output.count {
                do throws(Errno) {
                    sent += try InternetSocket.send(socket, output, from: sent)
                } catch let error where error == .wouldBlock {
                    return false
                }
            }
            guard body != nil else { return true }
            sent = 0
            if let piece = body?.next() {
                output = isChunked ? chunk(piece) : piece
            } else {
                output = isChunked ? Array("0\r\n\r\n".utf8) : []
                body = nil
            }
        }
        return false
    }

    private func chunk(_ piece: [UInt8]) -> [UInt8] {
        // An empty chunk would be the last one.
        piece.isEmpty ? [] : Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8)
    }

    func linger(until deadline: ContinuousClock.Instant) {
        state = .lingering
        self.deadline = deadline
        Streams.finishSending(socket.number)
    }

    /// Throws away what the client sends; whether it is done with that, or has sent too much.
    func discard() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while patience > 0 {
            do throws(Errno) {
                let count = try InternetSocket.receive(socket, into: &buffer)
                if count == 0 { return true }
                patience -= count
            } catch {
                return error != .wouldBlock
            }
        }
        return true
    }
}
