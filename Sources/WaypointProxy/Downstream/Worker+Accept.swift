// Taking connections of clients.
internal import KmeshKit

extension Worker {
    /// Connections taken for one event of a listener; those that are left raise another one.
    private static let acceptBatch = 64

    mutating func watchListeners() {
        for (index, listener) in listeners.enumerated() {
            let slot = connectionSlots.take(connections)
            precondition(slot >= 0, "the first records are for the worker itself")
            connections[slot] = Connection()
            connections[slot].kind = .listener
            connections[slot].descriptor = listener.socket
            connections[slot].listener = Int32(index)
            let result = queue.watchListener(listener.socket, EventToken(slot: slot, generation: 0))
            precondition(result == 0, "a listener can be watched")
        }
    }

    /// Whether more may be waiting.
    @discardableResult
    mutating func acceptConnections(_ slot: Int32) -> Bool {
        let socket = connections[slot].descriptor
        for _ in 0..<Self.acceptBatch {
            var peer = StreamAddress()
            let descriptor = Streams.accept(socket, &peer)
            if descriptor < 0 {
                if descriptor == Int32(Streams.again) { return false }
                if Streams.isOutOfDescriptors(descriptor) {
                    if giveUpUnused() { continue }
                    lackDescriptors()
                } else {
                    telemetry.count(.acceptFailures)
                }
                return false
            }
            telemetry.count(.connectionsAccepted)
            beginDownstream(descriptor, peer, listener: connections[slot].listener)
            // It took a spare descriptor. Those of a last round have nobody else.
            if isShort, !isPaused { return false }
        }
        return true
    }

    private mutating func beginDownstream(_ descriptor: Int32, _ peer: StreamAddress, listener: Int32) {
        let slot = take(descriptor, .downstream)
        guard slot >= 0 else { return }
        connections[slot].peer = peer
        connections[slot].listener = listener
        downstreamCount += 1
        timers.set(slot, now + options.timeouts.downstreamIdle * 1000)
        beginProtocol(slot)
    }

    /// A record for a descriptor, watched from now on. -1 when there is none; the descriptor is closed then.
    mutating func take(_ descriptor: Int32, _ kind: ConnectionKind) -> Int32 {
        let slot = connectionSlots.take(connections)
        guard slot >= 0 else {
            telemetry.count(.connectionsRefused)
            Streams.close(descriptor)
            return -1
        }
        let generation = connections[slot].generation &+ 1
        connections[slot] = Connection()
        connections[slot].generation = generation
        connections[slot].descriptor = descriptor
        connections[slot].kind = kind
        guard queue.watch(descriptor, EventToken(slot: slot, generation: generation)) == 0 else {
            // The kernel has no memory for another watched descriptor.
            telemetry.count(.connectionsRefused)
            give(slot)
            return -1
        }
        return slot
    }

    /// Closes a connection's descriptor and frees its record. Events of it that are still to come are stale.
    @inline(__always)
    mutating func give(_ slot: Int32) {
        Streams.close(connections[slot].descriptor)
        dropBuffer(slot)
        timers.clear(slot)
        connections[slot].generation &+= 1
        connections[slot].kind = .free
        connectionSlots.give(slot, connections)
        hasFreedDescriptor = true
    }

    mutating func yieldListeners() {
        guard !isPaused else { return }
        isPaused = true
        if !isShort { unwatchListeners() }
    }

    func unwatchListeners() {
        for slot in 0..<connectionSlots.highWater where connections[slot].kind == .listener {
            queue.unwatchListener(connections[slot].descriptor)
        }
    }

    func rewatchListeners() {
        for slot in 0..<connectionSlots.highWater where connections[slot].kind == .listener {
            let token = EventToken(slot: slot, generation: connections[slot].generation)
            _ = queue.watchListener(connections[slot].descriptor, token)
        }
    }

    /// Takes the connections that wait, unless a successor does, and listens no more: who comes now is
    /// refused at once, and can go elsewhere.
    mutating func closeListeners() {
        let isOwn = !isPaused
        yieldListeners()
        for slot in 0..<connectionSlots.highWater where connections[slot].kind == .listener {
            while isOwn, acceptConnections(slot) {}
            // Its number stays taken until the listener is closed, so that nobody closes another's.
            Streams.replace(connections[slot].descriptor, by: mailbox.descriptor)
        }
    }

    mutating func reclaimListeners() {
        guard isPaused, !isDraining else { return }
        isPaused = false
        if !isShort { rewatchListeners() }
    }
}
