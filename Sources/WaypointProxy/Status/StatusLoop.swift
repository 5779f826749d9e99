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
    /// Requests that the handler has not answered, also those whose connection is gone.
    private var unanswered = 0
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
            for (number, connection) in connections where connection.isIdle { close(number) }
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

    /// The oldest connection that has not asked yet, or has its answer, goes first; then one whose answer
    /// nobody has yet.
    private func makeRoom() -> Bool {
        guard connections.count >= server.limits.connections else { return true }
        let silent = connections.lazy.filter { $0.value.isIdle }.map(\.key).min()
        let waiting = connections.lazy.filter { $0.value.state == .waiting }.map(\.key).min()
        guard let leaving = silent ?? waiting else { return false }
        close(leaving)
        return true
    }

    private func advance(_ number: UInt64) {
        guard let connection = connections[number] else { return }
        switch connection.state {
        case .reading: read(number, connection)
        // Whoever goes away while the answer is made needs none.
        case .waiting: close(number)
        case .writing: write(number, connection)
        case .lingering: if connection.discard() { close(number) }
        }
    }

    private func read(_ number: UInt64, _ connection: StatusConnection) {
        switch connection.read(limits: server.limits, fields: fields) {
        case .goesOn: break
        case .ended: close(number)
        case .refused(let status, let sentence): answer(number, StatusResponse(status, "\(sentence)\n"))
        case .complete(let request):
            guard unanswered < server.limits.connections else {
                return answer(
                    number, StatusResponse(503, "\(unanswered) requests are under way; try again\n"))
            }
            unanswered += 1
            connection.state = .waiting
            connection.deadline = .now + server.limits.thought
            try? epoll.change(connection.socket.number, [])
            arrivals.yield(StatusExchange(connection: number, request: request))
        }
    }

    private func answer(_ number: UInt64, _ response: StatusResponse) {
        guard let connection = connections[number] else { return }
        connection.begin(response)
        write(number, connection)
    }

    private func takeAnswers() {
        for (number, response) in mailbox.take() {
            unanswered -= 1
            answer(number, response)
        }
    }

    private func write(_ number: UInt64, _ connection: StatusConnection) {
        do throws(Errno) {
            if try connection.write() {
                guard connection.hasUnread, stopTime == nil else { return close(number) }
                connection.linger(until: .now + .seconds(1))
                return try epoll.change(connection.socket.number, .input)
            }
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
