/// What other threads ask of a worker. It looks between two turns of its loop.
internal import KmeshKit
internal import Synchronization

enum WorkerMessage: Sendable {
    case configure(WaypointConfiguration)
    /// Take no more connections for now: they are for who shares the listeners.
    case pause
    /// Take connections again after a pause.
    case resume
    /// Take no more connections, end those that are idle, and let the others finish.
    case drain
    /// Close everything, and end.
    case stop
    case collect(@Sendable (WorkerStatistics) -> Void)
    case log(AccessLogFormat, LogFile?)
    /// Close some of what nobody uses, since the worker of this number lacks descriptors.
    case giveUpUnused(for: Int)
    /// Descriptors may be free.
    case tryDescriptors
}

final class WorkerMailbox: Sendable {
    private struct State {
        var messages: [WorkerMessage] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let wake: WakeDescriptor
    /// What the worker waits for events with. It is made here, where a failure is still one of the start: a
    /// worker without it would leave the connections of its listening sockets waiting.
    let events: FileDescriptor

    init() throws(Errno) {
        wake = try WakeDescriptor()
        events = try EventQueue.makeDescriptor()
    }

    var descriptor: Int32 { wake.descriptor }

    /// Whether the worker will see it; not after its end.
    @discardableResult
    func send(_ message: WorkerMessage) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isClosed else { return false }
            state.messages.append(message)
            return true
        }
        if isTaken { wake.wake() }
        return isTaken
    }

    /// Everything that has come since the last call.
    func takeAll() -> [WorkerMessage] {
        wake.drain()
        return state.withLock { state in
            defer { state.messages = [] }
            return state.messages
        }
    }

    /// Takes nothing more, and returns what nobody has looked at.
    func close() -> [WorkerMessage] {
        state.withLock { $0.isClosed = true }
        return takeAll()
    }
}
