internal import CKmeshABI
internal import KmeshKit

/// What listeners lead to: units of entries, each under an id of its own. What has the same name and entries
/// is the same unit. Each counts what leads to it; one that nothing leads to is removed after a grace period,
/// for programs may still read it.
struct UnitStore: Sendable {
    struct Unit: Sendable {
        let name: String
        let entries: UnitEntries
        /// The units that the entries lead to.
        let children: Set<UInt32>
        /// `nil`: an earlier run's, which nobody has asked for yet.
        fileprivate let digest: Int?
        fileprivate(set) var references = 0
        fileprivate(set) var state: State
        /// How many sweeps there had been when nothing led to it any more.
        fileprivate var idleSince = 0

        enum State: Sendable {
            /// Nothing was written.
            case new
            case partial
            case written
        }

        /// Whether the maps shall hold all of it.
        var isWanted: Bool { state == .written && references > 0 }
    }

    let maps: NativeMaps
    private(set) var units: [UInt32: Unit] = [:]
    /// Entries of all units.
    private(set) var counts = UnitCounts()
    private var ids = NumericIDs(limit: KMESH_TEXT_NUMBER_MASK)
    private var known: [Int: [UInt32]] = [:]
    /// What listeners of an earlier run lead to, by its content, until `forgetAdopted`.
    private var adopted: [Int: [UInt32]] = [:]
    /// What of it belongs to the listener that units are made for.
    private var preferred: Set<UInt32> = []
    /// In the order in which they are written: what is led to comes first.
    private var unwritten: [UInt32] = []
    /// What nothing leads to.
    private var idle: Set<UInt32> = []
    private var sweeps = 0

    init(maps: NativeMaps) { self.maps = maps }

    subscript(_ id: UInt32) -> Unit? { units[id] }

    func isWritten(_ id: UInt32) -> Bool { id == 0 || units[id]?.state == .written }

    var pendingWrites: Int { unwritten.reduce(0) { $0 + (units[$1]?.entries.count ?? 0) } }

    /// Whether something waits to be removed.
    var hasIdle: Bool { !idle.isEmpty }

    // MARK: Making

    /// The unit with this name and these entries, whose keys have its id. Nothing leads to a new one yet.
    mutating func intern(_ name: String, _ make: (UInt32) -> UnitEntries) -> UInt32 {
        let form = make(0)
        var hasher = Hasher()
        hasher.combine(name)
        hasher.combine(form)
        let digest = hasher.finalize()
        for id in known[digest] ?? [] where units[id]?.name == name && units[id]?.entries == make(id) {
            return id
        }
        if !adopted.isEmpty, let id = claim(name, digest, form.contentDigest, make) { return id }
        let id = ids.allocate()
        let entries = make(id)
        let unit = Unit(
            name: name, entries: entries, children: entries.children, digest: digest, state: .new)
        units[id] = unit
        for child in unit.children { units[child]?.references += 1 }
        counts.add(entries)
        known[digest, default: []].append(id)
        unwritten.append(id)
        return id
    }

    mutating func retain(_ id: UInt32) { units[id]?.references += 1 }

    /// One thing less leads to it.
    mutating func release(_ id: UInt32) {
        guard units[id] != nil else { return }
        units[id]?.references -= 1
        settle(id)
    }

    /// Something new is not needed after all.
    mutating func discard(_ id: UInt32) {
        guard units[id]?.references == 0 else { return }
        settle(id)
    }

    private mutating func settle(_ id: UInt32) {
        guard let unit = units[id], unit.references == 0 else { return }
        if unit.state == .new {
            forget(id)
        } else {
            units[id]?.idleSince = sweeps
            idle.insert(id)
        }
    }

    private mutating func forget(_ id: UInt32) {
        guard let unit = units.removeValue(forKey: id) else { return }
        counts.remove(unit.entries)
        disown(id, unit)
        ids.release(id)
        for child in unit.children { release(child) }
    }

    /// It is not found as something's equal any more.
    private mutating func disown(_ id: UInt32, _ unit: Unit) {
        guard let digest = unit.digest else { return }
        known[digest]?.removeAll { $0 == id }
        if known[digest]?.isEmpty == true { known[digest] = nil }
    }

    /// The map that its units do not fit into, as the reason for a refusal.
    func shortage() -> String? {
        counts.shortage(in: maps)
    }

    // MARK: Writing

    /// Writes what is new. What cannot be written keeps back only what leads to it.
    mutating func write(_ writer: inout MapWriter) -> MapError? {
        var fault: MapError?
        var left: [UInt32] = []
        for id in unwritten {
            guard let unit = units[id] else { continue }
            guard unit.references > 0, unit.children.allSatisfy({ units[$0]?.state ?? .written == .written })
            else {
                left.append(id)
                continue
            }
            units[id]?.state = .partial
            do throws(MapError) {
                var writing = EntryWriting(maps: maps, entries: unit.entries, writer: writer)
                defer { writer = writing.writer }
                try writing.visitAll()
                units[id]?.state = .written
            } catch {
                fault = error
                left.append(id)
            }
        }
        unwritten = left
        return fault
    }

    /// Removes what nothing has led to since before the last call. Returns how many entries are gone.
    mutating func sweep(_ writer: inout MapWriter) throws(MapError) -> Int {
        sweeps += 1
        idle = idle.filter { units[$0]?.references == 0 }
        var victims = idle.filter { units[$0].map { $0.idleSince + 1 < sweeps } ?? true }.sorted()
        var removed = 0
        while let id = victims.last {
            guard let unit = units[id] else {
                victims.removeLast()
                continue
            }
            units[id]?.state = .partial
            disown(id, unit)
            var removal = EntryRemoval(maps: maps, entries: unit.entries, writer: writer)
            defer { (writer, removed) = (removal.writer, removed + removal.removed) }
            try removal.visitAll()
            victims.removeLast()
            idle.remove(id)
            forget(id)
            // Nothing else has led to these, so the grace period was theirs too.
            victims += unit.children.filter { units[$0]?.references == 0 && !victims.contains($0) }
        }
        return removed
    }

    // MARK: Earlier runs

    /// Takes over what is in the maps. Nothing else is known yet; `roots` are led to by listeners.
    mutating func adopt(roots: [UInt32]) throws(MapError) {
        var reading = UnitReading(maps: maps)
        try reading.visitAll()
        var reached: Set<UInt32> = []
        var next = roots.filter { reading.units[$0] != nil }
        var order: [UInt32] = []
        while let id = next.popLast() {
            guard reached.insert(id).inserted, let unit = reading.units[id] else { continue }
            order.append(id)
            next += unit.children
        }
        // In their order: equal ones were made in that of the configuration.
        for (id, entries) in reading.units.sorted(by: { $0.key < $1.key }) where id != 0 {
            ids.reserve(id)
            let isReached = reached.contains(id)
            let children = isReached ? entries.children.intersection(reading.units.keys) : []
            units[id] = Unit(
                name: "an earlier run", entries: entries, children: children, digest: nil, state: .written)
            counts.add(entries)
            if isReached { adopted[entries.contentDigest, default: []].append(id) } else { idle.insert(id) }
        }
        for id in order {
            for child in units[id]?.children ?? [] { units[child]?.references += 1 }
        }
    }

    /// The configuration is in force: what nobody has asked for by now is nobody's.
    mutating func forgetAdopted() { (adopted, preferred) = ([:], []) }

    /// Says that what is made next is led to as `root` was: of equal units of an earlier run each shall stay
    /// where it is.
    mutating func prefer(below root: UInt32) {
        guard !adopted.isEmpty else { return }
        preferred = []
        var next = [root]
        while let id = next.popLast() {
            if preferred.insert(id).inserted { next += units[id]?.children ?? [] }
        }
    }

    /// The unit of an earlier run that has these entries: so a start writes only what has changed, and splits
    /// go on where they are.
    private mutating func claim(
        _ name: String, _ digest: Int, _ content: Int, _ make: (UInt32) -> UnitEntries
    ) -> UInt32? {
        let candidates = adopted[content] ?? []
        // One comparison for most: there may be thousands that are equal.
        func isEqual(_ id: UInt32) -> Bool {
            guard let unit = units[id], unit.digest == nil, unit.state == .written else { return false }
            return make(id).hasSameEntries(as: unit.entries)
        }
        let index =
            candidates.firstIndex { preferred.contains($0) && isEqual($0) }
            ?? candidates.firstIndex(where: isEqual)
        guard let index, let id = adopted[content]?.remove(at: index), let found = units[id] else {
            return nil
        }
        units[id] = Unit(
            name: name, entries: make(id), children: found.children, digest: digest,
            references: found.references, state: .written, idleSince: found.idleSince)
        known[digest, default: []].append(id)
        return id
    }
}
