/// Health, metrics and configuration over HTTP, on a thread of its own: no request of a client waits for one
/// who looks. Each connection gets one answer. The daemon has one too.
package import KmeshKit
internal import Synchronization

package final class StatusServer: Sendable {
    /// Bounds that hold for every client.
    package struct Limits: Sendable {
        /// When one more comes, the oldest that has not asked yet goes, else the oldest that waits for its
        /// answer, else the new one. Also of requests that are being answered, those whose client has left
        /// included.
        package var connections = 64
        var head = HeadLimits(line: 4096, head: 16_384, fields: 100)
        /// Bytes of a request's body, which is read and means nothing.
        package var body = 16_384
        /// From the connection to the whole request.
        package var request = Duration.seconds(5)
        /// From the whole request to the answer's beginning.
        package var thought = Duration.seconds(10)
        /// For each piece of an answer.
        package var answer = Duration.seconds(10)

        package init() {}
    }

    package let address: SocketAddress
    private let wanted: SocketAddress
    let listener: FileDescriptor
    let limits: Limits
    private let mailbox: StatusMailbox

    /// Listens from now on; answers come from `run`.
    package init(
        _ wanted: SocketAddress, inherited: Int32? = nil, limits: Limits = Limits()
    ) throws(Errno) {
        if let inherited {
            listener = FileDescriptor(owning: inherited)
        } else {
            listener = try InternetSocket.listen(at: wanted, backlog: 128)
        }
        address = try InternetSocket.localAddress(listener)
        mailbox = try StatusMailbox()
        self.limits = limits
        self.wanted = wanted
    }

    /// Under the address that was asked for; a port that was found is no place to look for.
    var sharedSockets: SharedSockets {
        SharedSockets(key: UpgradeMessage.statusKey(wanted), sockets: [listener.number])
    }

    /// Takes no more connections: they wait for who shares the socket.
    func pause() { mailbox.setPaused(true) }
    func resume() { mailbox.setPaused(false) }

    /// Answers until the task is cancelled. Call it once.
    package func run(_ handler: @escaping @Sendable (StatusRequest) async -> StatusResponse) async {
        let (exchanges, arrivals) = AsyncStream.makeStream(
            of: StatusExchange.self, bufferingPolicy: .bufferingOldest(limits.connections))
        let mailbox = mailbox
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    try? await DedicatedThread.run("kmesh-status") { () throws(Errno) in
                        defer { arrivals.finish() }
                        try StatusLoop(self, mailbox, arrivals).run()
                    }
                    arrivals.finish()
                }
                for await exchange in exchanges {
                    group.addTask {
                        mailbox.post(await handler(exchange.request), for: exchange.connection)
                    }
                }
            }
        } onCancel: {
            mailbox.stop()
        }
    }
}

struct StatusExchange: Sendable {
    let connection: UInt64
    let request: StatusRequest
}

/// What tasks leave for the server's thread.
final class StatusMailbox: Sendable {
    private struct Content {
        var answers: [(connection: UInt64, response: StatusResponse)] = []
        var isStopping = false
        var isPaused = false
    }

    private let content = Mutex(Content())
    private let wakeup: WakeDescriptor

    init() throws(Errno) { wakeup = try WakeDescriptor() }

    var descriptor: Int32 { wakeup.descriptor }
    var isStopping: Bool { content.withLock { $0.isStopping } }
    var isPaused: Bool { content.withLock { $0.isPaused } }

    func setPaused(_ isPaused: Bool) {
        content.withLock { $0.isPaused = isPaused }
        wakeup.wake()
    }

    func post(_ response: StatusResponse, for connection: UInt64) {
        content.withLock { $0.answers.append((connection, response)) }
        wakeup.wake()
    }

    func stop() {
        content.withLock { $0.isStopping = true }
        wakeup.wake()
    }

    func take() -> [(connection: UInt64, response: StatusResponse)] {
        wakeup.drain()
        return content.withLock { content in
            defer { content.answers = [] }
            return content.answers
        }
    }
}
