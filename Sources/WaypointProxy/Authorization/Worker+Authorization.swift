// What policies say of requests and streams. A request that none of them concerns does not come here.
internal import KmeshKit

/// Who a client is in the configuration of `epoch`.
struct KnownSource: BitwiseCopyable {
    /// Of the connection's record.
    var generation: UInt32 = 0
    var epoch: UInt32 = 0
    /// Its number, or `IdentityIndex.nobody`.
    var identity: Int32 = 0
}

extension Worker {
    /// Whether policies refuse the request, which is answered then. `host` is the number of its host in its
    /// route table; -1 without one.
    mutating func refuses(_ exchange: Int32, _ slot: Int32, _ head: RequestHead, host: Int32) -> Bool {
        guard let authorization = configurations.latest.authorization else { return false }
        let protection = protection(slot, host, authorization)
        guard protection.policies >= 0 else { return false }
        let set = authorization.sets[Int(protection.policies)]
        let subject = subject(slot, set, authorization, port: protection.port)
        let range = Int(connections[slot].start)..<Int(connections[slot].ready)
        trials.removeAll(keepingCapacity: true)
        let verdict = decide(
            set, subject, head, fields, buffers, connections[slot].buffer, range, &writer, &trials)
        note(verdict, exchange, set, protection)
        guard !verdict.isAllowed else { return false }
        exchanges[exchange].record.cluster = protection.cluster
        failExchange(exchange, status: 403, .policyDenied)
        return true
    }

    /// Whether policies refuse the stream. Who calls ends it. What policies under trial say counts once: when
    /// it is new.
    mutating func refusesStream(
        _ exchange: Int32, _ slot: Int32, _ protection: Protection, isNew: Bool
    ) -> Bool {
        guard let authorization = configurations.latest.authorization else { return false }
        let set = authorization.sets[Int(protection.policies)]
        let subject = subject(slot, set, authorization, port: protection.port)
        trials.removeAll(keepingCapacity: true)
        let nothing: [UInt8] = []
        let verdict = set.streams.decide(
            subject, RequestHead(), fields, nothing.span, path: nothing.span, trials: &trials)
        if !isNew { trials.removeAll(keepingCapacity: true) }
        note(verdict, exchange, set, protection)
        return !verdict.isAllowed
    }

    /// Streams that the latest configuration forbids end. Connections that a request has turned into a stream
    /// were allowed as that request.
    mutating func endForbiddenStreams() {
        for slot in 0..<connectionSlots.highWater where connections[slot].kind == .stream {
            let exchange = connections[slot].exchange
            guard exchanges[exchange].downstream == slot, exchanges[exchange].record.isPassthrough,
                findTarget(slot)
            else { continue }
            let target = configurations.latest.targets.targets[Int(connections[slot].target)]
            guard target.policies >= 0,
                refusesStream(exchange, slot, target.protection, isNew: false)
            else { continue }
            // The verdict's policies are those of the latest configuration.
            configurations.release(exchanges[exchange].snapshot)
            exchanges[exchange].snapshot = configurations.use()
            let upstream = exchanges[exchange].upstream
            if upstream >= 0 { Streams.resetOnClose(connections[upstream].descriptor) }
            endStream(exchange, .policyDenied)
        }
    }

    /// For the access log: which policy refused the exchange; empty when none did.
    func denialDetails(_ exchange: Int32) -> [UInt8] {
        guard exchanges[exchange].record.reason == .policyDenied,
            let authorization = configurations[exchanges[exchange].snapshot].authorization
        else { return [] }
        let set = authorization.sets[Int(exchanges[exchange].policies)]
        return set.details(of: exchanges[exchange].verdict)
    }

    /// Keeps and counts what was decided.
    private mutating func note(
        _ verdict: PolicyVerdict, _ exchange: Int32, _ set: PolicySet, _ protection: Protection
    ) {
        for policy in trials { telemetry.count(trialDenialBy: policy) }
        guard !verdict.isAllowed else { return }
        telemetry.count(denialBy: set.statistic(of: verdict))
        exchanges[exchange].verdict = verdict
        exchanges[exchange].policies = protection.policies
    }

    private func protection(
        _ slot: Int32, _ host: Int32, _ authorization: AuthorizationConfiguration
    ) -> Protection {
        if case .plain = listeners[Int(connections[slot].listener)].specification.kind {
            let isAny = host >= 0 && !authorization.hosts.isEmpty
            return isAny ? authorization.hosts[Int(host)] : Protection()
        }
        guard findTarget(slot) else { return Protection() }
        return configurations.latest.targets.targets[Int(connections[slot].target)].protection
    }

    // MARK: The connection

    private mutating func subject(
        _ slot: Int32, _ set: PolicySet, _ authorization: AuthorizationConfiguration, port: UInt16
    ) -> PolicySubject {
        let none = IPAddress(high: 0, low: 0)
        var subject = PolicySubject(
            source: connections[slot].peer.address, identity: nil, destination: none, port: port)
        if set.readsDestination {
            let dialed = dialedAddress(slot)
            subject.destination = dialed.address
            if port == 0 { subject.port = dialed.port }
        }
        if set.readsIdentity, let identities = authorization.identities {
            let number = identity(slot, identities)
            if number != IdentityIndex.nobody { subject.identity = identities.identities[Int(number)] }
        }
        return subject
    }

    /// Looked for once for each connection and configuration.
    private mutating func identity(_ slot: Int32, _ identities: IdentityIndex) -> Int32 {
        let known = sources[slot]
        if known.generation == connections[slot].generation, known.epoch == configurations.epoch {
            return known.identity
        }
        let number = identities.find(connections[slot].peer.address)
        sources[slot] = KnownSource(
            generation: connections[slot].generation, epoch: configurations.epoch, identity: number)
        return number
    }
}

// The worker's parts are lent one by one: it writes to one of them while it reads others.

/// A path that servers may read in two ways must be allowed in both.
private func decide(
    _ set: PolicySet, _ subject: PolicySubject, _ head: RequestHead, _ fields: borrowing Slab<HeaderField>,
    _ buffers: borrowing BufferPool, _ buffer: Int32, _ range: Range<Int>, _ writer: inout ByteWriter,
    _ trials: inout [Int32]
) -> PolicyVerdict {
    buffers[buffer].read(range) { bytes in
        let path = head.path.range
        if head.path.isEmpty {
            let root = RouteIndex.root
            return set.requests.decide(subject, head, fields, bytes, path: root.span, trials: &trials)
        }
        guard set.readsPaths, PolicyPath.needsForm(bytes, path) else {
            let text = bytes.extracting(path)
            return set.requests.decide(subject, head, fields, bytes, path: text, trials: &trials)
        }
        let isCrooked = PolicyPath.resolve(bytes, path, into: &writer)
        let verdict = writer.read { form in
            set.requests.decide(subject, head, fields, bytes, path: form, trials: &trials)
        }
        guard verdict.isAllowed, isCrooked else { return verdict }
        PolicyPath.decode(bytes, path, into: &writer)
        return writer.read { form in
            set.requests.decide(subject, head, fields, bytes, path: form, trials: &trials)
        }
    }
}
