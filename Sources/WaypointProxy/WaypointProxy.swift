/// The proxy as its process sees it: threads that are started, given configurations, drained and stopped.
public import KmeshKit
internal import Synchronization

public final class WaypointProxy: Sendable {
    private let options: ProxyOptions
    private let listeners: [BoundListener]
    let mailboxes: [WorkerMailbox]
    private let configuration: Mutex<WaypointConfiguration>
    private let ends = WorkerEnds()
    /// Open files that the process may have.
    public let descriptorLimit: Int

    /// Listens at once, so that an address in use is an error here; nothing is accepted before `start`.
    init(
        options: ProxyOptions, listeners: [ListenerSpecification], configuration: WaypointConfiguration
    ) throws(ProxyError) {
        let workers = options.workers > 0 ? options.workers : Machine.processorCount()
        Machine.ignoreBrokenPipes()
        descriptorLimit = Machine.raiseDescriptorLimit()
        let needed = 64 + workers * (8 + SpareDescriptors.wished + listeners.count)
        guard descriptorLimit >= needed else {
            throw .tooFewDescriptors(limit: descriptorLimit, needed: needed)
        }
        self.options = options
        var bound: [BoundListener] = []
        for specification in listeners {
            bound.append(try BoundListener(specification, workers: workers))
        }
        self.listeners = bound
        var mailboxes: [WorkerMailbox] = []
        do throws(Errno) {
            for _ in 0..<workers { mailboxes.append(try WorkerMailbox()) }
        } catch {
            throw .cannotStart(what: "an event queue", error)
        }
        self.mailboxes = mailboxes
        self.configuration = Mutex(configuration)
    }

    /// Starts the workers. Call it once.
    public func start() throws(ProxyError) {
        let first = configuration.withLock { $0 }
        let shortage = DescriptorShortage(mailboxes)
        for (number, mailbox) in mailboxes.enumerated() {
            let parts = WorkerParts(
                number: number, workers: mailboxes.count, options: options,
                capacity: Int32(clamping: min(descriptorLimit, Int(options.limits.connections))),
                listeners: listeners.flatMap { $0.share(of: number) }, mailbox: mailbox,
                shortage: shortage, configuration: first)
            let ends = ends
            ends.workerStarts()
            do throws(Errno) {
                try DedicatedThread.start("kmesh-proxy-\(number)") {
                    runWorker(parts)
                    ends.workerEnded()
                }
            } catch {
                ends.workerEnded()
                throw .cannotStart(what: "a thread", error)
            }
        }
    }

    /// Each worker takes it between two turns; what it has begun ends by the configuration that it began
    /// with.
    func replace(_ new: WaypointConfiguration) {
        configuration.withLock { $0 = new }
        for mailbox in mailboxes { mailbox.send(.configure(new)) }
    }

    /// What the workers go by, or are about to.
    var currentConfiguration: WaypointConfiguration { configuration.withLock { $0 } }

    /// Where the listeners are, in their order: with the port that was found for port 0.
    public var addresses: [SocketAddress] { listeners.map(\.address) }

    /// The listening sockets of each listener, for a process that takes over. They stay open here.
    public var listeningSockets: [[Int32]] { listeners.map(\.sockets) }

    /// Takes no more connections and waits until the last has ended, at most until `deadline` is over.
    /// Whether all have ended; those that have not go on until `stop`.
    @discardableResult
    public func drain(deadline: Duration) async -> Bool {
        for mailbox in mailboxes { mailbox.send(.drain) }
        let end = ContinuousClock.now + deadline
        while ContinuousClock.now < end {
            if await statistics().allSatisfy({ $0.connections == 0 }) { return true }
            do {
                try await Task.sleep(for: .milliseconds(20))
            } catch {
                return false
            }
        }
        return await statistics().allSatisfy { $0.connections == 0 }
    }

    /// One for each worker; none after `stop`.
    func statistics() async -> [WorkerStatistics] {
        var all: [WorkerStatistics] = []
        for mailbox in mailboxes {
            let one: WorkerStatistics? = await withCheckedContinuation { continuation in
                let isTaken = mailbox.send(.collect { continuation.resume(returning: $0) })
                if !isTaken { continuation.resume(returning: nil) }
            }
            if let one { all.append(one) }
        }
        return all
    }

    /// Closes everything, and returns when the workers have ended.
    public func stop() async {
        guard ends.beginStop() else { return }
        for mailbox in mailboxes { mailbox.send(.stop) }
        await ends.wait()
        for listener in listeners { listener.close() }
    }
}
