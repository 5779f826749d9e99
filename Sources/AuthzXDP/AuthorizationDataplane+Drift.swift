public import KmeshKit

/// Finds what somebody else has changed in the maps, a bounded part at a time and in both directions, and
/// writes again what was written.

extension AuthorizationDataplane {
    /// Compares the next part of what was written with the maps, and the next part of a map with what was
    /// written, and repairs what differs. What waits to be written or removed is no drift. Called about once
    /// a second.
    public mutating func repairDrift(_ pace: DriftPace = DriftPace()) -> DriftReport {
        guard isConfigured else { return DriftReport() }
        var round = drift
        round.begin(pace) { everythingWritten }
        drift = round
        var report = repair { (dataplane, findings) throws(MapError) in
            try dataplane.compareWritten(pace, &findings)
        }
        report.add(
            repair { (dataplane, findings) throws(MapError) in try dataplane.compareMap(pace, &findings) })
        return report
    }

    private mutating func repair(
        _ compare: (inout AuthorizationDataplane, inout AuthzDriftFindings) throws(MapError) -> Void
    ) -> DriftReport {
        var findings = AuthzDriftFindings(of: self)
        do throws(MapError) {
            try compare(&self, &findings)
        } catch {
            findings.report.fault = error
        }
        guard !findings.repairs.isEmpty else { return findings.report }
        do throws(MapError) {
            try findings.repairs.write(to: maps, &findings.report)
        } catch {
            findings.report.fault = error
        }
        // What programs may still read of the entries that went must not be overwritten by the next writes.
        _ = grace.elapse()
        return findings.report
    }

    private var everythingWritten: [AuthzDriftRound.Written] {
        numbers.wanted.map { .policy($0) } + blocks.blocks.keys.map { .block($0) }
            + views.views.keys.map { .view($0) } + held.probes.map { .probe($0) }
            + held.destinations.keys.map { .destination($0) }
    }

    // MARK: From what was written to the maps

    private mutating func compareWritten(
        _ pace: DriftPace, _ findings: inout AuthzDriftFindings
    ) throws(MapError) {
        while findings.readings < pace.readings, let next = drift.written.first {
            // A large block goes on with the next look.
            guard try compare(next, pace, &findings) else { return }
            drift.written = drift.written.dropFirst()
            drift.entry = 0
        }
        guard drift.written.isEmpty else { return }
        if drift.sources == nil { drift.sources = Array(held.sources.keys)[...] }
        while findings.readings < pace.readings, let address = drift.sources?.first {
            if let value = held.sources[address], value != .uncertain {
                try findings.expect(value, under: AuthzAddressKey(address), in: .sources)
            }
            drift.sources = drift.sources?.dropFirst()
        }
    }

    /// Returns whether all of it was compared.
    private mutating func compare(
        _ written: AuthzDriftRound.Written, _ pace: DriftPace, _ findings: inout AuthzDriftFindings
    ) throws(MapError) -> Bool {
        switch written {
        case .policy(let id):
            if numbers.present.contains(id), !numbers.missing.contains(id) {
                try findings.expect(AuthzPolicyValue(), under: AuthzIDKey(id), in: .policies)
            }
        case .block(let id):
            return try compare(block: id, pace, &findings)
        case .view(let id):
            if let view = views.views[id], view.state == .written {
                try findings.expect(view.value, under: AuthzIDKey(id), in: .views)
            }
        case .probe(let key):
            if held.probes.contains(key) {
                try findings.expect(AuthzProbeValue(), under: key, in: .probes)
            }
        case .destination(let address):
            if let view = held.destinations[address], view != 0 {
                let value = AuthzDestinationValue(viewID: view)
                try findings.expect(value, under: AuthzAddressKey(address), in: .destinations)
            }
        }
        return true
    }

    private mutating func compare(
        block id: UInt32, _ pace: DriftPace, _ findings: inout AuthzDriftFindings
    ) throws(MapError) -> Bool {
        guard let block = blocks[id], block.state == .written else { return true }
        if drift.entry == 0 {
            try findings.expect(block.compiled.value, under: AuthzIDKey(id), in: .blocks)
            drift.entry = 1
        }
        let terms = block.compiled.terms(id), prefixes = block.compiled.prefixes(id)
        let bits = block.compiled.bits(id).filter { !block.lacks($0.key) }
        while findings.readings < pace.readings {
            var number = drift.entry - 1
            if number < terms.count {
                try findings.expect(terms[number].value, under: terms[number].key, in: .terms)
            } else if number < terms.count + prefixes.count {
                // The kernel finds a shorter prefix where this one is missing. If that says the same, nothing
                // is wrong.
                number -= terms.count
                try findings.expect(prefixes[number].value, under: prefixes[number].key, in: .prefixes)
            } else if number < terms.count + prefixes.count + bits.count {
                number -= terms.count + prefixes.count
                try findings.expect(bits[number].value, under: bits[number].key, in: .bits)
            } else {
                return true
            }
            drift.entry += 1
        }
        return false
    }

    // MARK: From a map to what was written

    private mutating func compareMap(
        _ pace: DriftPace, _ findings: inout AuthzDriftFindings
    ) throws(MapError) {
        let (position, limit) = (drift.cursor.position, pace.entries)
        let next: MapPosition?
        switch drift.cursor.map {
        case 0:
            next = try findings.compare(from: position, limit, .sources) { key in
                let value = held.sources[key.address]
                return value == .uncertain ? .anything : AuthzDriftFindings.Expectation(value)
            }
        case 1:
            next = try findings.compare(from: position, limit, .destinations) { key in
                let view = held.destinations[key.address]
                return view == 0
                    ? .anything
                    : AuthzDriftFindings.Expectation(view.map { AuthzDestinationValue(viewID: $0) })
            }
        case 2: next = try findings.compare(from: position, limit, .views) { view($0.id) }
        case 3:
            next = try findings.compare(from: position, limit, .blocks) { key in
                expectation(ofBlock: key.id) { $0.compiled.value }
            }
        case 4:
            next = try findings.compare(from: position, limit, .bits) { key in
                let isLeft = blocks[key.blockID].map { $0.lacks(key) || $0.surplus.contains(key) } == true
                return isLeft ? .anything : expectation(ofBlock: key.blockID) { $0.compiled.vector(key) }
            }
        case 5:
            var prefixes: [UInt32: [AuthzPrefixKey: TermVector]] = [:]
            next = try findings.compare(from: position, limit, .prefixes) { key in
                expectation(ofBlock: key.blockID) { block in
                    let known =
                        prefixes[key.blockID] ?? Dictionary(entries: block.compiled.prefixes(key.blockID))
                    prefixes[key.blockID] = known
                    return known[key]
                }
            }
        case 6:
            next = try findings.compare(from: position, limit, .terms) { key in
                expectation(ofBlock: key.blockID) { block in
                    let ids = block.compiled.policyIDs
                    return key.bit < ids.count ? AuthzTermValue(policyID: ids[Int(key.bit)]) : nil
                }
            }
        case 7:
            // What they have counted so far is theirs.
            next = try findings.compare(from: position, limit, .policies) { key in
                let isKnown = numbers.present.contains(key.id) || numbers.missing.contains(key.id)
                return isKnown ? .anything : .nothing
            }
        case 8:
            next = try findings.compare(from: position, limit, .probes) { key in
                held.probes.contains(key) ? .anything : .nothing
            }
        default: return
        }
        drift.cursor.advance(to: next)
    }

    private func view(_ id: UInt32) -> AuthzDriftFindings.Expectation<AuthzViewValue> {
        if leftovers.views[id] != nil { return .anything }
        guard let view = views.views[id] else { return .nothing }
        return view.state == .written ? .value(view.value) : .anything
    }

    /// An earlier run's block is not touched before it is removed, and one half written is not known.
    private func expectation<Value>(
        ofBlock id: UInt32, _ value: (HeldBlock) -> Value?
    ) -> AuthzDriftFindings.Expectation<Value> {
        if leftovers.blocks[id] != nil { return .anything }
        guard let block = blocks[id] else { return .nothing }
        return block.state == .written ? AuthzDriftFindings.Expectation(value(block)) : .anything
    }
}

extension HeldBlock {
    /// Whether an entry still has to be written.
    fileprivate func lacks(_ key: AuthzBitsKey) -> Bool {
        guard !missing.isEmpty, let dimension = AuthzDimension(rawValue: key.dimension) else { return false }
        return missing.contains(AuthzBits(dimension, key.value))
    }
}

extension CompiledBlock {
    fileprivate func vector(_ key: AuthzBitsKey) -> TermVector? {
        switch AuthzDimension(rawValue: key.dimension) {
        case .identity: identities[key.value]
        case .namespace: namespaces[key.value]
        case .port: ports.first { UInt32($0.port) == key.value }?.vector
        case .source, .destination, nil: nil
        }
    }
}
