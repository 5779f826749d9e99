internal import CKmeshABI
internal import KmeshKit

/// Makes units of what was compiled.
extension UnitStore {
    /// The id of the table.
    mutating func intern(_ table: CompiledTable) -> UInt32 {
        let hosts = table.hosts.map { intern($0) }
        let texts = table.found.map { intern($0.matcher) }
        let value = SearchValue(other: table.anyHost.map { hosts[$0] } ?? 0, probes: table.probes)
        return intern(table.name) { id in
            var entries = UnitEntries()
            entries.tables = [MapEntry(NativeIDKey(id), value)]
            entries.found = zip(table.found, texts).map { found, text in
                found.entry(id, FoundValue(foundID: hosts[found.leadsTo], text: text))
            }
            return entries
        }
    }

    private mutating func intern(_ host: CompiledHost) -> UInt32 {
        let texts = host.found.map { intern($0.matcher) }
        var routes: [(number: UInt32, value: RouteValue, texts: [UInt32])] = []
        for route in host.routes {
            let texts = route.conditions.map { intern($0) }
            let (action, target) = intern(route.action, name: "\(host.name) route \(route.name)")
            let value = RouteValue(
                next: UInt32(route.next), action: action, retries: route.retries, target: target,
                hashText: route.hash.map { intern($0) } ?? 0, conditionCount: UInt32(texts.count),
                conditions: ConditionTexts(block: 0, of: texts))
            routes.append((UInt32(route.number), value, texts))
        }
        let value = SearchValue(other: UInt32(host.anyRoute), probes: host.probes)
        return intern(host.name) { id in
            var entries = UnitEntries()
            entries.hosts = [MapEntry(NativeIDKey(id), value)]
            entries.found = zip(host.found, texts).map { found, text in
                found.entry(id, FoundValue(foundID: UInt32(found.leadsTo), text: text))
            }
            for (number, value, texts) in routes {
                entries.routes.append(MapEntry(RouteMapKey(hostID: id, number: number), value))
                for block in 1..<max(1, ConditionTexts.blocks(of: texts)) {
                    entries.conditions.append(
                        MapEntry(
                            ConditionKey(hostID: id, number: number, block: UInt32(block - 1)),
                            ConditionsValue(texts: ConditionTexts(block: block, of: texts))))
                }
            }
            return entries
        }
    }

    /// The action with what it leads to. Splits of different names are different.
    mutating func intern(_ action: CompiledAction, name: String) -> (action: UInt16, target: UInt32) {
        switch action {
        case .service(let id): (UInt16(NativeAction.service.rawValue), id)
        case .refuse: (UInt16(NativeAction.refuse.rawValue), KMESH_REASON_NO_BACKEND.rawValue)
        case .split(let split): (UInt16(NativeAction.split.rawValue), intern(split, name))
        }
    }

    private mutating func intern(_ split: CompiledSplit, _ name: String) -> UInt32 {
        intern(name) { id in
            var entries = UnitEntries()
            let count = UInt32(split.shares.count)
            entries.splits = [
                MapEntry(
                    NativeIDKey(id), SplitValue(count: count, total: split.total, stride: split.stride))
            ]
            entries.shares = split.shares.enumerated().map { index, share in
                MapEntry(ShareKey(splitID: id, index: UInt32(index)), share)
            }
            return entries
        }
    }

    /// The reference to the text; it is shared by all that ask for the same.
    private mutating func intern(_ matcher: Matcher) -> UInt32 {
        guard let size = matcher.sizeClass else { preconditionFailure("texts that are too long are refused") }
        let id = intern("") { id in
            var entries = UnitEntries()
            switch size {
            case .bytes64: entries.texts64 = [MapEntry(NativeIDKey(id), TextValue(matcher))]
            case .bytes256: entries.texts256 = [MapEntry(NativeIDKey(id), TextValue(matcher))]
            case .bytes4096: entries.texts4096 = [MapEntry(NativeIDKey(id), TextValue(matcher))]
            }
            return entries
        }
        return size.reference(id)
    }

    /// The id of the filter chains.
    mutating func intern(_ chains: [ChainValue], name: String) -> UInt32 {
        intern(name) { id in
            var entries = UnitEntries()
            entries.chains = chains.enumerated().map { index, chain in
                MapEntry(ChainKey(chainsID: id, index: UInt32(index)), chain)
            }
            return entries
        }
    }
}

extension CompiledFound {
    fileprivate func entry(_ owner: UInt32, _ value: FoundValue) -> MapEntry<FoundKey, FoundValue> {
        MapEntry(FoundKey(ownerID: owner, probe: probe, hash: hash), value)
    }
}

extension ConditionTexts {
    /// How many blocks so many texts fill: the first is the route's own.
    fileprivate static func blocks(of texts: [UInt32]) -> Int {
        (texts.count + scalarCount - 1) / scalarCount
    }

    fileprivate init(block: Int, of texts: [UInt32]) {
        self.init()
        for (index, text) in texts.dropFirst(block * Self.scalarCount).prefix(Self.scalarCount).enumerated() {
            self[index] = text
        }
    }
}
