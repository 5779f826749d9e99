/// What the process asks of its proxy besides proxying.
internal import KmeshKit

extension WaypointProxy {
    /// Starts, changes or ends the access log.
    func log(_ format: AccessLogFormat, to file: LogFile?) {
        for mailbox in mailboxes { mailbox.send(.log(format, file)) }
    }

    /// Takes no more connections; those that wait in the sockets are for who shares them.
    func pause() {
        for mailbox in mailboxes { mailbox.send(.pause) }
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
