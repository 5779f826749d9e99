// Hands events from the watching thread to a task, one at a time.
internal import KmeshKit
internal import Synchronization

/// Holds at most one event. Until it is taken the thread reads no further, and changes gather in the files.
final class MeshFileMailbox: Sendable {
    struct Commands {
        var isClosed: Bool
        var wantsReload: Bool
        var isFree: Bool
    }

    private struct State {
        var event: MeshFileEvent?
        var waiter: CheckedContinuation<MeshFileEvent?, Never>?
        var wantsReload = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let wake: WakeDescriptor

    init() throws(Errno) {
        wake = try WakeDescriptor()
    }

    var descriptor: Int32 { wake.descriptor }

    // MARK: The thread's side

    /// What is asked of the thread; a wish to reload is told once.
    func commands() -> Commands {
        wake.drain()
        return state.withLock { state in
            defer { state.wantsReload = false }
            return Commands(
                isClosed: state.isClosed, wantsReload: state.wantsReload, isFree: state.event == nil)
        }
    }

    func post(_ event: MeshFileEvent) {
        let waiter = state.withLock { state -> CheckedContinuation<MeshFileEvent?, Never>? in
            if let waiter = state.waiter.take() { return waiter }
            state.event = event
            return nil
        }
        waiter?.resume(returning: event)
    }

    // MARK: The task's side

    /// The next event; `nil` once closed or when the task is cancelled. For one task at a time.
    func next() async -> MeshFileEvent? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enum Answer {
                    case wait
                    case now(MeshFileEvent?)
                }
                let answer = state.withLock { state -> Answer in
                    if let event = state.event.take() { return .now(event) }
                    if state.isClosed || Task.isCancelled { return .now(nil) }
                    precondition(state.waiter == nil, "two tasks wait for the same mesh file")
                    state.waiter = continuation
                    return .wait
                }
                if case .now(let event) = answer {
                    wake.wake()
                    continuation.resume(returning: event)
                }
            }
        } onCancel: {
            state.withLock { $0.waiter.take() }?.resume(returning: nil)
        }
    }

    func requestReload() {
        state.withLock { $0.wantsReload = true }
        wake.wake()
    }

    func close() {
        let waiter = state.withLock { state -> CheckedContinuation<MeshFileEvent?, Never>? in
            state.isClosed = true
            return state.waiter.take()
        }
        waiter?.resume(returning: nil)
        wake.wake()
    }
}
