/// The daemon's local API at a Unix socket. One thread does all the waiting; requests are answered by an
/// asynchronous handler, and no client can make another one wait for long.
internal import Synchronization

public final class AdminServer: Sendable {
    public typealias Handler = @Sendable (AdminRequest) async -> AdminResponse

    /// Bounds that hold for every client.
    public struct Limits: Sendable {
        /// Open connections, and also requests being handled. When a new one comes, the oldest connection
        /// that has not sent its request goes; when there is none, the new one is answered with "busy".
        public var connections = 64
        /// From the connection to the whole request.
        public var request: Duration = .seconds(5)
        /// From the request to the end of the answer.
        public var answer: Duration = .seconds(120)
        /// For answers that are under way when the server ends.
        public var drain: Duration = .seconds(2)

        public init() {}
    }

    private let limits: Limits
    private let socket: AdminSocket
    private let mailbox: AdminMailbox

    /// Opens the socket: from now on clients can connect, and wait for `run`.
    public init(path: String, limits: Limits = Limits()) throws(AdminError) {
        socket = try AdminSocket(path, backlog: Int32(clamping: limits.connections))
        do throws(Errno) {
            mailbox = try AdminMailbox()
        } catch {
            throw .cannotListen(path: path, errno: error)
        }
        self.limits = limits
    }

    public var path: String { socket.path }

    public var counters: AdminCounters { mailbox.counters }

    /// Ends `run`: nobody new is served, answers under way are still sent.
    public func stop() { mailbox.stop() }

    /// Serves until the task is cancelled or the server stopped; the socket's file is gone afterwards. May be
    /// called once.
    public func run(_ handler: @escaping Handler) async throws(AdminError) {
        // At most as many requests as may be under way are ever in this stream.
        let (exchanges, arrivals) = AsyncStream.makeStream(
            of: AdminExchange.self, bufferingPolicy: .bufferingOldest(limits.connections))
        let (limits, socket, mailbox) = (limits, socket, mailbox)
        let failure = await withTaskCancellationHandler {
            await withTaskGroup(of: Errno?.self) { group -> Errno? in
                group.addTask {
                    do throws(Errno) {
                        try await DedicatedThread.run("kmesh-admin") { () throws(Errno) in
                            defer { arrivals.finish() }
                            guard let listener = socket.takeListener() else {
                                preconditionFailure("an admin server runs once")
                            }
                            try AdminLoop(listener, socket, limits, mailbox, arrivals).run()
                        }
                        return nil
                    } catch {
                        arrivals.finish()
                        return error
                    }
                }
                for await exchange in exchanges {
                    group.addTask {
                        let answer = AdminFrame.encode(await handler(exchange.request))
                        mailbox.post(answer, for: exchange.connection)
                        return nil
                    }
                }
                // The thread has ended or is about to: nobody is left to take further answers.
                group.cancelAll()
                return await group.reduce(nil) { $0 ?? $1 }
            }
        } onCancel: {
            mailbox.stop()
        }
        if let failure { throw .cannotListen(path: socket.path, errno: failure) }
    }
}

/// A request and the connection that waits for its answer.
struct AdminExchange: Sendable {
    let connection: UInt64
    let request: AdminRequest
}

/// What tasks leave for the server's thread.
final class AdminMailbox: Sendable {
    struct Content {
        var answers: [(connection: UInt64, frame: [UInt8])] = []
        var isStopping = false
    }

    private let content = Mutex(Content())
    private let counts = Mutex(AdminCounters())
    let wakeup: WakeDescriptor

    init() throws(Errno) {
        wakeup = try WakeDescriptor()
    }

    func post(_ frame: [UInt8], for connection: UInt64) {
        content.withLock { $0.answers.append((connection, frame)) }
        wakeup.wake()
    }

    func stop() {
        content.withLock { $0.isStopping = true }
        wakeup.wake()
    }

    /// Takes the answers; the wish to stop stays.
    func take() -> Content {
        wakeup.drain()
        return content.withLock { content in
            defer { content.answers = [] }
            return content
        }
    }

    var counters: AdminCounters { counts.withLock { $0 } }

    func count(_ counter: any WritableKeyPath<AdminCounters, UInt64> & Sendable) {
        counts.withLock { $0[keyPath: counter] += 1 }
    }
}
