/// The thread of an admin server: accepts, reads, hands on, writes, and ends what takes too long.
final class AdminLoop {
    private let listener: FileDescriptor
    private let socket: AdminSocket
    private let limits: AdminServer.Limits
    private let mailbox: AdminMailbox
    private let arrivals: AsyncStream<AdminExchange>.Continuation
    /// By number, which grows with time: the lowest is the oldest.
    private var connections: [UInt64: AdminConnection] = [:]
    private var lastNumber: UInt64 = 0
    /// Requests that the handler has not answered, also those whose connection is gone.
    private var unanswered = 0
    /// Set once the server is told to end.
    private var drainDeadline: ContinuousClock.Instant?
    /// While the process has no descriptor left, nobody is accepted until then.
    private var acceptsAgain: ContinuousClock.Instant?

    init(
        _ listener: consuming FileDescriptor, _ socket: AdminSocket, _ limits: AdminServer.Limits,
        _ mailbox: AdminMailbox, _ arrivals: AsyncStream<AdminExchange>.Continuation
    ) {
        self.listener = listener
        self.socket = socket
        self.limits = limits
        self.mailbox = mailbox
        self.arrivals = arrivals
    }

    func run() throws(Errno) {
        defer { socket.remove() }
        while !isDone {
            let accepts = drainDeadline == nil && acceptsAgain == nil
            let numbers = connections.keys.sorted()
            var entries = [
                PollEntry(number: mailbox.wakeup.descriptor, readable: true),
                PollEntry(listener, readable: accepts),
            ]
            entries += numbers.compactMap { connections[$0]?.pollEntry }
            try PollEntry.wait(&entries, timeout: timeUntilNextDeadline)
            if entries[0].isReadable { takeMail() }
            for (number, entry) in zip(numbers, entries[2...]) { advance(number, entry) }
            endLateConnections()
            // Last, so that room that has just become free counts.
            if accepts, entries[1].isReadable { acceptAll() }
        }
    }

    private var isDone: Bool {
        guard let drainDeadline else { return false }
        return connections.isEmpty || drainDeadline <= .now
    }

    private var timeUntilNextDeadline: Duration? {
        let deadlines = connections.values.map(\.deadline) + [drainDeadline, acceptsAgain].compactMap { $0 }
        return deadlines.min().map { ContinuousClock.now.duration(to: $0) }
    }

    private func takeMail() {
        let mail = mailbox.take()
        for answer in mail.answers {
            unanswered -= 1
            connections[answer.connection]?.startWriting(answer.frame)
        }
        guard mail.isStopping, drainDeadline == nil else { return }
        drainDeadline = .now + limits.drain
        // Whoever has not asked yet asks in vain.
        connections = connections.filter { !$0.value.isReading }
    }

    private func endLateConnections() {
        let now = ContinuousClock.now
        if let again = acceptsAgain, again <= now { acceptsAgain = nil }
        for (number, connection) in connections where connection.deadline <= now {
            mailbox.count(\.timedOut)
            connections[number] = nil
        }
    }

    private func acceptAll() {
        // No more than there is room for in one turn, so that those who are served go on being served.
        for _ in 0..<limits.connections {
            do throws(Errno) {
                admit(try UnixSocket.accept(listener))
            } catch let error where error == .wouldBlock {
                return
            } catch let error where error == .connectionAborted {
                continue
            } catch {
                // Out of descriptors or memory: the listener stays readable, and polling it would spin.
                acceptsAgain = .now + .milliseconds(100)
                return
            }
        }
    }

    private func admit(_ descriptor: consuming FileDescriptor) {
        mailbox.count(\.accepted)
        let peer = try? PeerCredentials.of(descriptor)
        guard let peer, AdminAccess.permits(peer, socketGroup: socket.groupID) else {
            mailbox.count(\.notPermitted)
            let group = socket.groupID.map(FileStatus.groupName) ?? "root"
            let user = peer.map { "user \($0.userID)" } ?? "this user"
            return refuse(descriptor, .notPermitted, "\(user) is neither root nor a member of group \(group)")
        }
        if connections.count >= limits.connections {
            mailbox.count(\.crowdedOut)
            guard let oldest = connections.filter({ $0.value.isReading }).keys.min() else {
                return refuse(descriptor, .busy, "\(limits.connections) requests are under way; try again")
            }
            connections[oldest] = nil
        }
        lastNumber += 1
        connections[lastNumber] = AdminConnection(descriptor, deadline: .now + limits.request)
    }

    /// A fresh socket takes a short answer at once; a client that does not read it loses nothing but the
    /// reason.
    private func refuse(_ descriptor: consuming FileDescriptor, _ code: AdminFailure.Code, _ message: String)
    {
        let frame = AdminFrame.encode(.error(code, message))
        _ = try? UnixSocket.send(frame, from: 0, to: descriptor)
    }

    private func advance(_ number: UInt64, _ entry: PollEntry) {
        guard let connection = connections[number] else { return }
        switch connection.advance(entry) {
        case .goesOn:
            break
        case .ended(let cutShort):
            if cutShort { mailbox.count(\.malformed) }
            connections[number] = nil
        case .tooLarge(let size):
            mailbox.count(\.malformed)
            answer(
                connection, .badRequest,
                "a request of \(size) bytes is over the limit of \(AdminFrame.requestLimit)")
        case .request(let body):
            connection.startWaiting(until: .now + limits.answer)
            handOn(body, number, connection)
        }
    }

    private func answer(_ connection: AdminConnection, _ code: AdminFailure.Code, _ message: String) {
        connection.startWriting(AdminFrame.encode(.error(code, message)))
    }

    private func handOn(_ body: [UInt8], _ number: UInt64, _ connection: AdminConnection) {
        let request: AdminRequest
        do {
            request = try AdminRequest(json: JSONValue(parsing: body))
        } catch {
            mailbox.count(\.malformed)
            return answer(connection, .badRequest, "\(error)")
        }
        guard unanswered < limits.connections else {
            mailbox.count(\.crowdedOut)
            return answer(connection, .busy, "\(unanswered) requests are under way; try again")
        }
        unanswered += 1
        arrivals.yield(AdminExchange(connection: number, request: request))
    }
}

/// Who may use an admin socket.
enum AdminAccess {
    /// Root, and members of the socket's group.
    static func permits(_ peer: PeerCredentials, socketGroup: UInt32?) -> Bool {
        peer.userID == 0 || socketGroup.map(peer.groupIDs.contains) ?? false
    }
}
