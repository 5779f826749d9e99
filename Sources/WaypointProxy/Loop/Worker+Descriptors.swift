// What a worker does when the process has no descriptor left: closes what nobody uses, asks the others to do
// so, and accepts nobody until those that it has accepted are sure to be served.
internal import KmeshKit

extension Worker {
    /// How long a worker waits before it looks again although nobody has told it to, in microseconds. What
    /// became free just before it got in line, or in another process, is found then.
    private static let shortagePause: Int64 = 500_000

    /// A connection that is being made, or a negative error number.
    mutating func open(_ address: StreamAddress) -> Int32 {
        var descriptor = Streams.connect(address)
        guard Streams.isOutOfDescriptors(descriptor) else { return descriptor }
        if giveUpUnused() { descriptor = Streams.connect(address) }
        guard Streams.isOutOfDescriptors(descriptor) else { return descriptor }
        while Streams.isOutOfDescriptors(descriptor), spares.release() {
            descriptor = Streams.connect(address)
        }
        lackDescriptors()
        return descriptor
    }

    /// Closes some of what nobody uses: pipes, then connections in the pool. Whether there was anything.
    mutating func giveUpUnused() -> Bool {
        if pipes.giveUpIdle() {
            hasFreedDescriptor = true
            return true
        }
        guard idleUpstreamCount > 0 else { return false }
        var left = 16
        for slot in 0..<connectionSlots.highWater
        where connections[slot].kind == .upstream && connections[slot].phase == .idle {
            telemetry.count(.poolEvictions)
            closeUpstream(slot)
            left -= 1
            if left == 0 || idleUpstreamCount == 0 { break }
        }
        return true
    }

    /// Nobody is accepted any more: every event of a listener would be in vain.
    mutating func lackDescriptors() {
        telemetry.count(.descriptorsExhausted)
        guard !isShort else { return }
        isShort = true
        if !isPaused { unwatchListeners() }
        // What was freed before in this turn was not enough.
        hasFreedDescriptor = false
        waitForDescriptors()
    }

    private mutating func waitForDescriptors() {
        shortage.join(number)
        timers.set(ownSlot, now + Self.shortagePause)
        guard !isAsking else { return }
        isAsking = true
        shortage.ask(behind: number, for: number)
    }

    /// Another worker lacks descriptors, and everyone between it and this one has nothing to spare.
    mutating func giveUpUnused(for origin: Int) {
        if !giveUpUnused() { shortage.ask(behind: number, for: origin) }
    }

    /// At the end of a turn in which descriptors were closed: what was accepted here comes first, and then
    /// the worker that has waited longest to accept.
    mutating func shareDescriptors() {
        hasFreedDescriptor = false
        if !isShort || relieve() { shortage.serveNext() }
    }

    /// Exchanges that lack a descriptor get one, and the spare ones are replaced. Whether there were enough.
    private mutating func relieve() -> Bool {
        while true {
            let isEnough = spares.refill()
            guard !shortClusters.isEmpty else { return isEnough }
            guard !spares.isEmpty else { return false }
            for cluster in shortClusters { noteDue(cluster) }
            shortClusters.removeAll(keepingCapacity: true)
            serveDueClusters()
        }
    }

    /// Some of the cluster's exchanges wait for no more than a descriptor.
    mutating func noteShort(_ cluster: Int32) {
        if !shortClusters.contains(cluster) { shortClusters.append(cluster) }
    }

    /// It is this worker's turn, as far as descriptors are free; who comes next has the rest.
    mutating func tryDescriptors() {
        isAsking = false
        guard isShort else { return shortage.serveNext() }
        guard relieve() else { return waitForDescriptors() }
        endShortage()
        if !isShort { shortage.serveNext() }
    }

    /// Nobody has told this worker to try.
    mutating func shortageExpired() {
        guard isShort else { return }
        if !relieve() { _ = giveUpUnused() }
        tryDescriptors()
    }

    /// Takes the connections that wait, which may be the beginning of another shortage.
    private mutating func endShortage() {
        isShort = false
        shortage.leave(number)
        timers.clear(ownSlot)
        guard !isPaused else { return }
        rewatchListeners()
        for slot in 0..<connectionSlots.highWater where connections[slot].kind == .listener && !isShort {
            acceptConnections(slot)
        }
    }
}
