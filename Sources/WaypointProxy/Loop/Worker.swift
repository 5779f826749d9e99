/// One thread of the proxy: its listeners, its connections, its upstreams. Nothing is shared with other
/// workers.
internal import KmeshKit

struct Worker: ~Copyable {
    let number: Int
    let options: ProxyOptions
    let headLimits: HeadLimits
    let queue: EventQueue
    let mailbox: WorkerMailbox
    let listeners: [WorkerListener]

    let connections: Slab<Connection>
    var connectionSlots: SlotAllocator
    let exchanges: Slab<Exchange>
    var exchangeSlots: SlotAllocator
    /// Deadlines of connections, by their numbers, and of exchanges, by theirs plus the connections'
    /// capacity.
    var timers: TimerWheel
    var buffers: BufferPool
    var upstreams: UpstreamSet
    var pipes: PipePool
    var configurations: ConfigurationHistory
    var telemetry = WorkerTelemetry()
    var accessLog: AccessLog
    let logCapacity: Int32

    /// Lines of the head that was parsed last.
    let fields: Slab<HeaderField>
    var writer: ByteWriter
    /// Conveyed destinations, by the numbers of the connections that have one.
    let destinations: Slab<StreamAddress>
    /// Who clients are, by the numbers of the connections for which that was asked.
    let sources: Slab<KnownSource>
    /// Policies under trial that would have denied what is being decided on.
    var trials: [Int32] = []
    let scratch: ByteChunk

    /// Microseconds of the monotonic clock, read once for each turn.
    var now: Int64
    /// Clusters in which a connection may have become free in this turn.
    var dueClusters: [Int32] = []
    /// Clients' connections with something left to do after an exchange.
    var dueConnections: [EventToken] = []
    /// Those of them that are being looked at; empty between two turns.
    private var continuedConnections: [EventToken] = []
    var downstreamCount = 0
    var upstreamCount = 0
    var idleUpstreamCount = 0
    var streamCount = 0
    var isDraining = false
    /// Connections are for who shares the listeners.
    var isPaused = false
    var isStopped = false
    var isAcceptPaused = false
    var hasFreedDescriptor = false

    init(_ parts: WorkerParts) throws(Errno) {
        number = parts.number
        var options = parts.options
        options.timeouts = options.timeouts.inForce
        self.options = options
        let limits = parts.options.limits
        headLimits = HeadLimits(
            line: limits.line, head: min(limits.head, Int(BufferPool.large)), fields: limits.fields)
        queue = try EventQueue()
        mailbox = parts.mailbox
        listeners = parts.listeners
        now = Machine.microseconds()
        let capacity = parts.capacity + Int32(listeners.count) + 1
        connections = Slab(capacity: capacity)
        connectionSlots = SlotAllocator(capacity: capacity)
        exchanges = Slab(capacity: parts.capacity)
        exchangeSlots = SlotAllocator(capacity: parts.capacity)
        timers = TimerWheel(capacity: capacity + parts.capacity, now: now)
        buffers = BufferPool(capacity: 2 * capacity)
        let seed = mixed(UInt64(bitPattern: now)) ^ mixed(UInt64(parts.number + 1))
        upstreams = UpstreamSet(seed: seed)
        pipes = PipePool(capacity: parts.capacity, kept: limits.idlePipes)
        configurations = ConfigurationHistory(parts.configuration, listeners: parts.listeners)
        fields = Slab(capacity: limits.fields)
        writer = ByteWriter(capacity: Int(BufferPool.largeCapacity))
        destinations = Slab(capacity: capacity)
        sources = Slab(capacity: capacity)
        scratch = ByteChunk(capacity: 4096)
        logCapacity = min(parts.capacity, 8192)
        accessLog = AccessLog(.off, to: nil, capacity: logCapacity)
        _ = upstreams.apply(parts.configuration.clusters)
    }

    /// Serves until it is told to stop.
    mutating func run() {
        watchMailbox()
        watchListeners()
        var lastWasShort = true
        while !isStopped {
            let count = waitForEvents(&lastWasShort)
            now = Machine.microseconds()
            for index in 0..<count {
                let (token, events) = queue.event(index)
                handle(token, events)
            }
            endTurn()
        }
        closeEverything()
    }

    /// Looks for a while before it sleeps, if that is wanted and the last sleep was short: waking up costs
    /// more than the wait.
    private mutating func waitForEvents(_ lastWasShort: inout Bool) -> Int {
        let pause = dueConnections.isEmpty ? timers.pause(now: now) : 0
        let spin = Int64(options.spinMicroseconds)
        if spin > 0, lastWasShort {
            let start = Machine.microseconds()
            repeat {
                let count = queue.wait(microseconds: 0)
                if count > 0 { return count }
            } while Machine.microseconds() - start < min(spin, pause < 0 ? spin : pause)
        }
        let count = queue.wait(microseconds: Int(pause))
        if spin > 0 { lastWasShort = Machine.microseconds() - now < 10 * spin }
        return count
    }

    @inline(__always)
    private mutating func handle(_ token: EventToken, _ events: StreamEvents) {
        let slot = token.slot
        // A record that was closed earlier in this turn, and perhaps used again.
        guard connections[slot].generation == token.generation else { return }
        switch connections[slot].kind {
        case .downstream: handleDownstream(slot, events)
        case .upstream: handleUpstream(slot, events)
        case .stream: handleStream(slot, events)
        case .listener: acceptConnections(slot)
        case .mailbox: readMailbox()
        case .free: break
        }
    }

    private mutating func endTurn() {
        while true {
            let expired = timers.popExpired(now: now)
            guard expired >= 0 else { break }
            handleExpired(expired)
        }
        while let cluster = dueClusters.popLast() { serveWaiting(cluster) }
        // Each once: what is due again waits for the next turn.
        swap(&dueConnections, &continuedConnections)
        for index in continuedConnections.indices {
            let token = continuedConnections[index]
            guard connections[token.slot].generation == token.generation else { continue }
            connections[token.slot].flags.remove(.isDue)
            switch connections[token.slot].kind {
            case .downstream: continueDownstream(token.slot)
            case .upstream: continueResponse(token.slot)
            case .stream: pumpStream(from: token.slot)
            case .free, .listener, .mailbox: break
            }
        }
        continuedConnections.removeAll(keepingCapacity: true)
        while let cluster = dueClusters.popLast() { serveWaiting(cluster) }
        if isAcceptPaused, hasFreedDescriptor { resumeAccepting() }
        hasFreedDescriptor = false
        accessLog.flush(telemetry)
    }

    private mutating func handleExpired(_ number: Int32) {
        guard number < connections.capacity else { return exchangeExpired(number - connections.capacity) }
        switch connections[number].kind {
        case .downstream: downstreamExpired(number)
        case .upstream: upstreamExpired(number)
        case .stream: streamExpired(number)
        case .listener: resumeAccepting()
        case .mailbox, .free: break
        }
    }
}

/// The thread of a worker from its start to its end.
func runWorker(_ parts: WorkerParts) {
    do throws(Errno) {
        var worker = try Worker(parts)
        worker.run()
    } catch {
        // Without an event queue there is nothing to serve with; whoever asks gets no answer from this one.
    }
    for message in parts.mailbox.close() {
        if case .collect(let answer) = message { answer(WorkerStatistics()) }
    }
}
