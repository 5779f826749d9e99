/// The thread of the status server: accepts, reads, hands on, writes, and ends what takes too long.
internal import KmeshKit

final class StatusLoop {
    private let server: StatusServer
    private let mailbox: StatusMailbox
    private let arrivals: AsyncStream<StatusExchange>.Continuation
    private var epoll: Epoll
    /// By number, which grows: a descriptor may be another connection's by the time that an answer comes.
    private var connections: [UInt64: StatusConnection] = [:]
    private var numbers: [Int32: UInt64] = [:]
    private var last: UInt64 = 0
    private let fields: Slab<HeaderField>
    /// Out of descriptors: nobody is accepted until then.
    private var pausedUntil: ContinuousClock.Instant?
    /// By when everything ends.
    private var stopTime: ContinuousClock.Instant?

    init(
        _ server: StatusServer, _ mailbox: StatusMailbox, _ arrivals: AsyncStream<StatusExchange>.Continuation
    ) throws(Errno) {
        self.server = server
        self.mailbox = mailbox
        self.arrivals = arrivals
        fields = Slab(capacity: server.limits.head.fields)
        epoll = try Epoll()
        try epoll.add(mailbox.descriptor, .input)
        try epoll.add(server.listener.number, .input)
    }

    /// Until it is told to stop, and then until those that asked before have their answers.
    func run() throws(Errno) {
        while !mayEnd() {
            let count = try epoll.wait(milliseconds: timeout())
            for index in 0..<count {
                let event = epoll.event(index)
                if event.descriptor == mailbox.descriptor {
                    takeAnswers()
                    try watchListener()
                } else if event.descriptor == server.listener.number {
                    acceptAll()
                } else if let number = numbers[event.descriptor] {
                    advance(number)
                }
            }
            endLate()
        }
    }

    private func mayEnd() -> Bool {
        guard mailbox.isStopping else { return false }
        let end = stopTime ?? .now + .seconds(1)
        if stopTime == nil {
            stopTime = end
            try? epoll.change(server.listener.number, [])
            for (number, connection) in connections where connection.state == .reading { close(number) }
        }
        for (_, connection) in connections { connection.deadline = min(connection.deadline, end) }
        return connections.isEmpty
    }

    private func watchListener() throws(Errno) {
        let isWatched = !mailbox.isPaused && pausedUntil == nil && stopTime == nil
        try epoll.change(server.listener.number, isWatched ? .input : [])
    }

    private func timeout() -> Int32 {
        let deadlines = connections.values.map(\.deadline) + [pausedUntil].compactMap { $0 }
        guard let next = deadlines.min() else { return -1 }
        let rest = ContinuousClock.now.duration(to: next)
        let milliseconds =
            rest.components.seconds * 1000 + rest.components.attoseconds / 1_000_000_000_000_000
        return Int32(clamping: max(0, milliseconds + 1))
    }

    private func endLate() {
        let now = ContinuousClock.now
        if let paused = pausedUntil, paused <= now {
            pausedUntil = nil
            try? watchListener()
        }
        for (number, connection) in connections where connection.deadline <= now { close(number) }
    }

    private func acceptAll() {
        guard stopTime == nil else { return }
        for _ in 0..<server.limits.connections {
            do throws(Errno) {
                var peer = SocketAddress(IPAddress(v4: 0), 0)
                let socket = try InternetSocket.accept(server.listener, &peer)
                guard makeRoom() else { continue }
                let descriptor = socket.number
                try epoll.add(descriptor, .input)
                last += 1
                connections[last] = StatusConnection(
                    socket, isLocal: peer.address.isLoopback, deadline: .now + server.limits.request)
                numbers[descriptor] = last
            } catch let error where error == .wouldBlock {
                return
            } catch let error where error == .connectionAborted {
                continue
            } catch {
                // The listener stays ready: asking again at once would spin.
                pausedUntil = .now + .milliseconds(100)
                try? epoll.change(server.listener.number, [])
                return
            }
        }
    }

    /// The oldest connection that has not asked yet goes first.
    private func makeRoom() -> Bool {
        guard connections.count >= server.limits.connections else { return true }
        let silent = connections.lazy.filter { $0.value.state == .reading }.map(\.key).min()
        guard let silent else { return false }
        close(silent)
        return true
    }

    private func advance(_ number: UInt64) {
        guard let connection = connections[number] else { return }
        switch connection.state {
        case .reading: read(number, connection)
        // Whoever goes away while the answer is made needs none.
        case .waiting: close(number)
        case .writing: write(number, connection)
        }
    }

    private func read(_ number: UInt64, _ connection: StatusConnection) {
        switch connection.read(limits: server.limits.head, fields: fields) {
        case .goesOn: break
        case .ended: close(number)
        case .refused(let status):
            connection.begin(StatusResponse(status, "bad request\n"))
            write(number, connection)
        case .complete(let request):
            connection.state = .waiting
            connection.deadline = .now + server.limits.answer
            try? epoll.change(connection.socket.number, [])
            arrivals.yield(StatusExchange(connection: number, request: request))
        }
    }

    private func takeAnswers() {
        for (number, response) in mailbox.take() {
            guard let connection = connections[number] else { continue }
            connection.begin(response)
            write(number, connection)
        }
    }

    private func write(_ number: UInt64, _ connection: StatusConnection) {
        do throws(Errno) {
            if try connection.write() { return close(number) }
            connection.deadline = .now + server.limits.answer
            try epoll.change(connection.socket.number, .output)
        } catch {
            close(number)
        }
    }

    private func close(_ number: UInt64) {
        guard let connection = connections.removeValue(forKey: number) else { return }
        numbers[connection.socket.number] = nil
    }
}

/// One connection: a request, an answer, the end.
final class StatusConnection {
    enum State { case reading, waiting, writing }

    enum Reading {
        case goesOn, ended
        case refused(UInt16)
        case complete(StatusRequest)
    }

    let socket: FileDescriptor
    private let isLocal: Bool
    var state = State.reading
    var deadline: ContinuousClock.Instant
    private var received: [UInt8] = []
    private var request = StatusRequest(method: "GET", path: "/")
    private var body: (any StatusBody)?
    private var isChunked = false
    private var output: [UInt8] = []
    private var sent = 0

    init(_ socket: consuming FileDescriptor, isLocal: Bool, deadline: ContinuousClock.Instant) {
        self.socket = socket
        self.isLocal = isLocal
        self.deadline = deadline
    }

    func read(limits: HeadLimits, fields: borrowing Slab<HeaderField>) -> Reading {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            do throws(Errno) {
                let count = try InternetSocket.receive(socket, into: &buffer)
                if count == 0 { return .ended }
                received += buffer[..<count]
            } catch {
                return error == .wouldBlock ? .goesOn : .ended
            }
            var head = RequestHead()
            switch parseRequestHead(received.span, limits: limits, into: &head, fields: fields) {
            case .incomplete: continue
            case .refused(let refusal): return .refused(refusal.status)
            case .complete:
                request = StatusRequest(
                    method: text(head.method), path: text(head.path), query: text(head.query),
                    minorVersion: head.minorVersion, isLocal: isLocal)
                return .complete(request)
            }
        }
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

    /// Sends what the socket takes; whether everything is sent.
    func write() throws(Errno) -> Bool {
        while true {
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
    }

    private func chunk(_ piece: [UInt8]) -> [UInt8] {
        // An empty chunk would be the last one.
        piece.isEmpty ? [] : Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8)
    }
}
