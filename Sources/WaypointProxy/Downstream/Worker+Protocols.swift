// What a new connection is for, and what it speaks: from its listener, its metadata or its first bytes.
internal import KmeshKit

extension Worker {
    /// A connection was accepted.
    @inline(__always)
    mutating func beginProtocol(_ slot: Int32) {
        let specification = listeners[Int(connections[slot].listener)].specification
        if case .plain = specification.kind, specification.acceptsProxyProtocolFrom.isEmpty { return }
        beginMetadata(slot, specification)
    }

    private mutating func beginMetadata(_ slot: Int32, _ specification: ListenerSpecification) {
        let client = connections[slot].peer.address
        if specification.acceptsProxyProtocolFrom.contains(where: { $0.contains(client) }) {
            connections[slot].flags.insert(.expectsProxyHeader)
            return awaitMetadata(slot)
        }
        switch specification.kind {
        case .plain: break
        case .servicePort: _ = enterTarget(slot)
        case .metadata(let option, let prefix):
            if option, readSYN(slot) { return }
            if !prefix { refuseMetadata(slot, .metadataMissing) } else { awaitMetadata(slot) }
        }
    }

    private mutating func awaitMetadata(_ slot: Int32) {
        connections[slot].phase = .metadata
        timers.set(slot, now + options.timeouts.metadata * 1000)
    }

    /// Whether the SYN decided on the connection, for better or worse.
    private mutating func readSYN(_ slot: Int32) -> Bool {
        let count = Streams.savedSYN(connections[slot].descriptor, into: scratch)
        // Without one the SYN was not kept: a cookie stood in for it.
        guard count > 0 else { return false }
        switch scratch.read(0..<count, { bytes in parseSavedSYN(bytes) }) {
        case .absent:
            return false
        case .destination(let address, let recordsFollow):
            destinations[slot] = StreamAddress(address)
            connections[slot].flags.insert(.hasDestination)
            if recordsFollow { connections[slot].flags.insert(.recordsFollow) }
        case .shortForm(let short, let recordsFollow):
            destinations[slot] = StreamAddress()
            destinations[slot].low = UInt64(short)
            connections[slot].flags.insert(.hasShortForm)
            if recordsFollow { connections[slot].flags.insert(.recordsFollow) }
        case .refused:
            refuseMetadata(slot, .metadataMalformed)
            return true
        }
        telemetry.count(.metadataFromOption)
        _ = enterTarget(slot)
        return true
    }

    /// Goes on with metadata and sniffing. Whether something was decided, and there may be more to do.
    mutating func advanceProtocol(_ slot: Int32) -> Bool {
        if connections[slot].flags.contains(.recordsFollow) {
            guard takeAnnouncedRecords(slot) else { return false }
            return connections[slot].phase == .metadata ? enterTarget(slot) : true
        }
        if connections[slot].phase == .sniffing { return sniff(slot) }
        return connections[slot].flags.contains(.expectsProxyHeader)
            ? takeProxyHeader(slot) : takeRecords(slot)
    }

    private mutating func takeProxyHeader(_ slot: Int32) -> Bool {
        let range = Int(connections[slot].start)..<Int(connections[slot].end)
        guard !range.isEmpty else { return false }
        switch buffers[connections[slot].buffer].read(range, { bytes in parseProxyHeader(bytes) }) {
        case .needMore: return false
        case .absent: break
        case .complete(let source, let destination, let consumed):
            telemetry.count(.metadataFromProxyProtocol)
            connections[slot].peer = StreamAddress(source)
            skip(slot, consumed)
            if case .metadata = listeners[Int(connections[slot].listener)].specification.kind {
                connections[slot].flags.remove(.expectsProxyHeader)
                return setDestination(slot, destination)
            }
        case .local(let consumed): skip(slot, consumed)
        case .refused:
            refuseMetadata(slot, .metadataMalformed)
            return false
        }
        connections[slot].flags.remove(.expectsProxyHeader)
        return afterProxyHeader(slot)
    }

    private mutating func afterProxyHeader(_ slot: Int32) -> Bool {
        switch listeners[Int(connections[slot].listener)].specification.kind {
        case .plain:
            connections[slot].phase = .head
            timers.set(slot, now + options.timeouts.downstreamIdle * 1000)
            return true
        case .servicePort: return enterTarget(slot)
        case .metadata(let option, let prefix):
            if option, readSYN(slot) { return true }
            guard prefix else {
                refuseMetadata(slot, .metadataMissing)
                return false
            }
            return true
        }
    }

    /// The records in front of the first bytes, without which the destination is not known.
    private mutating func takeRecords(_ slot: Int32) -> Bool {
        let range = Int(connections[slot].start)..<Int(connections[slot].end)
        guard !range.isEmpty else { return false }
        switch buffers[connections[slot].buffer].read(range, { bytes in parseDestinationRecords(bytes) }) {
        case .needMore: return false
        case .absent:
            refuseMetadata(slot, .metadataMissing)
            return false
        case .complete(let destination, let consumed):
            skip(slot, consumed)
            telemetry.count(.metadataFromTLV)
            return setDestination(slot, destination)
        case .refused:
            refuseMetadata(slot, .metadataMalformed)
            return false
        }
    }

    /// Takes off the records that the option announced. Whether it is known if they are there: only those
    /// that say the same as the option are. They may have failed to be sent, and all else is the client's.
    mutating func takeAnnouncedRecords(_ slot: Int32) -> Bool {
        let range = Int(connections[slot].start)..<Int(connections[slot].end)
        guard !range.isEmpty else { return false }
        switch buffers[connections[slot].buffer].read(range, { bytes in parseDestinationRecords(bytes) }) {
        case .needMore:
            timers.set(slot, now + options.timeouts.protocolDetection * 1000)
            return false
        case .complete(let destination, let consumed) where isConveyed(destination, slot):
            skip(slot, consumed)
        case .complete, .absent, .refused: break
        }
        connections[slot].flags.remove(.recordsFollow)
        return true
    }

    private func isConveyed(_ destination: SocketAddress, _ slot: Int32) -> Bool {
        guard connections[slot].flags.contains(.hasShortForm) else {
            return StreamAddress(destination) == destinations[slot]
        }
        return UInt64(DestinationHash.of(destination)) == destinations[slot].low
    }

    private mutating func skip(_ slot: Int32, _ count: Int) {
        connections[slot].start += Int32(count)
        connections[slot].ready = connections[slot].start
    }

    private mutating func setDestination(_ slot: Int32, _ destination: SocketAddress) -> Bool {
        destinations[slot] = StreamAddress(destination)
        connections[slot].flags.insert(.hasDestination)
        return enterTarget(slot)
    }

    /// The connection's target is to be known. Whether there is something left to do with its bytes as a
    /// client's connection.
    private mutating func enterTarget(_ slot: Int32) -> Bool {
        guard findTarget(slot) else {
            refuseMetadata(slot, .metadataUnknownDestination)
            return false
        }
        let target = configurations.latest.targets.targets[Int(connections[slot].target)]
        if case .workload = target.kind, target.table == nil {
            beginStream(slot)
            return false
        }
        switch target.applicationProtocol {
        case .http:
            let awaitsRecords = connections[slot].flags.contains(.recordsFollow)
            connections[slot].phase = awaitsRecords ? .metadata : .head
            timers.set(slot, now + options.timeouts.downstreamIdle * 1000)
            return true
        case .tcp:
            beginStream(slot)
            return false
        case .detect:
            connections[slot].phase = .sniffing
            timers.set(slot, now + options.timeouts.protocolDetection * 1000)
            return true
        }
    }

    private mutating func sniff(_ slot: Int32) -> Bool {
        let range = Int(connections[slot].start)..<Int(connections[slot].end)
        guard !range.isEmpty else { return false }
        switch buffers[connections[slot].buffer].read(range, { bytes in sniffProtocol(bytes) }) {
        case .needMore: return false
        case .http:
            telemetry.count(.sniffedHTTP)
            connections[slot].phase = .head
            timers.set(slot, now + options.timeouts.downstreamIdle * 1000)
            return true
        case .other:
            telemetry.count(.sniffedOther)
            beginStream(slot)
            return false
        }
    }

    /// The connection ends before it has begun: where it would go is not known, or is nobody's.
    mutating func refuseMetadata(_ slot: Int32, _ counter: WorkerCounter) {
        telemetry.count(counter)
        var record = ExchangeRecord()
        record.reason = counter == .metadataUnknownDestination ? .unknownDestination : .badMetadata
        record.isPassthrough = true
        record.start = now
        telemetry.record(record)
        Streams.resetOnClose(connections[slot].descriptor)
        closeDownstream(slot)
    }

    // MARK: Targets

    /// Where requests of a connection go.
    enum Resolution {
        case table(Int32)
        /// All requests.
        case cluster(Int32)
        case nowhere(ExchangeReason)
    }

    /// The listener's and the target's part in where a request goes; the route table may have its own.
    @inline(__always)
    mutating func resolve(_ slot: Int32) -> Resolution {
        let configuration = configurations[exchanges[connections[slot].exchange].snapshot]
        let listener = Int(connections[slot].listener)
        if case .plain = listeners[listener].specification.kind {
            return configuration.plainTable.map { .table($0) } ?? .nowhere(.noRoute)
        }
        guard findTarget(slot) else {
            telemetry.count(.metadataUnknownDestination)
            return .nowhere(.unknownDestination)
        }
        let number = Int(connections[slot].target)
        if let table = configuration.targets.targets[number].table { return .table(table) }
        let cluster = configuration.targets.targets[number].cluster
        return cluster >= 0 ? .cluster(cluster) : .nowhere(.noCluster)
    }

    /// The connection's target in the current configuration. Whether it has one.
    @inline(__always)
    func findTarget(_ slot: Int32) -> Bool {
        if connections[slot].epoch != configurations.epoch {
            connections[slot].epoch = configurations.epoch
            connections[slot].target = lookUpTarget(slot)
        }
        return connections[slot].target >= 0
    }

    private func lookUpTarget(_ slot: Int32) -> Int32 {
        let flags = connections[slot].flags
        let targets = configurations.latest.targets
        if flags.contains(.hasShortForm) {
            return targets.find(shortForm: UInt32(truncatingIfNeeded: destinations[slot].low)) ?? -1
        }
        if flags.contains(.hasDestination) { return targets.find(destinations[slot].socketAddress) ?? -1 }
        return configurations.listenerTargets[Int(connections[slot].listener)]
    }
}
