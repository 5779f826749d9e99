/// What the process asks of its proxy besides proxying.
internal import KmeshKit
internal import Synchronization

extension WaypointProxy {
    /// Starts, changes or ends the access log.
    func log(_ format: AccessLogFormat, to file: LogFile?) {
        for mailbox in mailboxes { mailbox.send(.log(format, file)) }
    }

    /// Takes no more connections; those that wait in the sockets are for who shares them. Returns once every
    /// worker has stopped, so not from a worker's thread.
    func pause() {
        let barrier = try? WorkerBarrier(count: mailboxes.count)
        for mailbox in mailboxes {
            mailbox.send(.pause)
            // Messages are taken in their order.
            let isTaken = mailbox.send(.collect { _ in barrier?.arrive() })
            if !isTaken { barrier?.arrive() }
        }
        barrier?.wait(atMost: .seconds(5))
    }

    /// Takes connections again.
    func resume() {
        for mailbox in mailboxes { mailbox.send(.resume) }
    }

    /// For a successor.
    var sharedSockets: [SharedSockets] {
        zip(addresses, listeningSockets).map { SharedSockets(key: $0.description, sockets: $1) }
    }
}

/// Lets a thread wait for all workers.
private final class WorkerBarrier: Sendable {
    private let missing: Mutex<Int>
    private let wakeup: WakeDescriptor

    init(count: Int) throws(Errno) {
        missing = Mutex(count)
        wakeup = try WakeDescriptor()
    }

    func arrive() {
        let isLast = missing.withLock { missing in
            missing -= 1
            return missing == 0
        }
        if isLast { wakeup.wake() }
    }

    func wait(atMost timeout: Duration) {
        _ = try? Poll.readable([wakeup.descriptor], timeout: timeout)
    }
}
