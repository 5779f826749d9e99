/// A listener's sockets: one for each worker, so that the kernel spreads connections and nothing is shared.
internal import KmeshKit
internal import Synchronization

final class BoundListener: Sendable {
    let specification: ListenerSpecification
    let address: SocketAddress
    let sockets: [Int32]
    private let workers: Int
    private let isClosed = Atomic(false)

    init(_ specification: ListenerSpecification, workers: Int) throws(ProxyError) {
        self.specification = specification
        self.workers = workers
        var sockets = specification.inherited
        var place = StreamAddress(specification.address)
        if let first = sockets.first, let local = Streams.localAddress(first) { place = local }
        // A socket that was handed over may hold connections: all of them are served.
        while sockets.count < workers {
            let socket = Streams.listen(place)
            guard socket >= 0 else {
                for socket in sockets { Streams.close(socket) }
                throw .cannotListen(specification.address, Errno(-socket))
            }
            sockets.append(socket)
            if place.port == 0 { place = Streams.localAddress(socket) ?? place }
        }
        if case .metadata(option: true, prefix: _) = specification.kind {
            for socket in sockets {
                let result = Streams.saveSYN(socket)
                guard result == 0 else {
                    for socket in sockets { Streams.close(socket) }
                    throw .cannotListen(specification.address, Errno(-result))
                }
            }
        }
        self.sockets = sockets
        address = place.socketAddress
    }

    deinit { close() }

    /// What one worker accepts from.
    func share(of worker: Int) -> [WorkerListener] {
        sockets.enumerated().filter { $0.offset % workers == worker }
            .map { WorkerListener(socket: $0.element, specification: specification) }
    }

    /// Connections that nobody has accepted are reset.
    func close() {
        guard !isClosed.exchange(true, ordering: .relaxed) else { return }
        for socket in sockets { Streams.close(socket) }
    }
}

struct WorkerListener: Sendable {
    let socket: Int32
    let specification: ListenerSpecification
}

/// Everything that a worker is made from, on its own thread.
struct WorkerParts: Sendable {
    let number: Int
    let workers: Int
    let options: ProxyOptions
    /// Connections at most.
    let capacity: Int32
    let listeners: [WorkerListener]
    let mailbox: WorkerMailbox
    let shortage: DescriptorShortage
    let configuration: WaypointConfiguration
}

/// Tells when the last worker has ended.
final class WorkerEnds: Sendable {
    private struct State {
        var running = 0
        var isStopping = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func workerStarts() { state.withLock { $0.running += 1 } }

    /// Whether the caller is the first.
    func beginStop() -> Bool {
        state.withLock { state in
            defer { state.isStopping = true }
            return !state.isStopping
        }
    }

    func workerEnded() {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.running -= 1
            guard state.running == 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.running == 0 { return true }
                state.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }
}
