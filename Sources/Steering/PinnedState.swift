internal import BPFLoader
internal import KmeshKit

/// What earlier runs have left pinned, and so how this one begins.
struct PinnedState: Sendable {
    enum Origin: Sendable {
        /// Nothing is there that could be taken over.
        case fresh
        /// Pins of this build's layout.
        case adopted
        /// Pins of an earlier layout that steps lead from.
        case migrated(PinDirectory, LayoutPath)
    }

    let origin: Origin
    /// This build's own.
    let pins: PinDirectory
    /// Pins of earlier layouts that this run does not take over, and of other engines. Their programs steer
    /// until they are removed.
    let older: [PinDirectory]
    let layouts: PinLayouts

    init(_ definition: EngineDefinition, _ options: EngineOptions) throws(BPFError) {
        let layouts = definition.layouts(options)
        self.layouts = layouts
        try layouts.refuseNewer()
        pins = try layouts.pins()
        let earlier = try layouts.present().filter { $0 < layouts.current }
        if pins.exists {
            origin = .adopted
        } else if let path = earlier.reversed().lazy.compactMap(definition.migration.path(from:)).first {
            origin = .migrated(try layouts.pins(of: path.layout), path)
        } else {
            origin = .fresh
        }
        var older: [PinDirectory] = []
        for layout in earlier {
            if case .migrated(_, let path) = origin, path.layout == layout { continue }
            older.append(try layouts.pins(of: layout))
        }
        for part in definition.others {
            let layouts = PinLayouts(root: options.bpfFileSystemPath, part: part, current: 0)
            for layout in try layouts.present() { older.append(try layouts.pins(of: layout)) }
        }
        self.older = older
    }

    var isFresh: Bool {
        if case .fresh = origin { true } else { false }
    }

    /// Makes the object's maps those that are pinned, as far as they are.
    func prepare(
        _ object: borrowing BPFObject, _ capacities: [(map: String, capacity: UInt32)]
    ) throws(BPFError) {
        let fresh: Set<String>
        switch origin {
        case .fresh:
            fresh = Set(object.mapNames)
        case .adopted:
            fresh = []
            try object.adoptMaps(from: pins)
        case .migrated(let earlier, let path):
            fresh = path.freshMaps
            try object.adoptMaps(from: earlier, except: fresh)
        }
        for (map, capacity) in capacities where fresh.contains(map) {
            try object.setCapacity(of: map, to: Int(capacity))
        }
    }

    /// After the object is loaded: fills maps that are made anew with what the earlier layout's held.
    func fill(_ object: borrowing BPFObject) throws(BPFError) {
        guard case .migrated(let earlier, let path) = origin else { return }
        try path.fill(object, from: earlier)
    }

    /// An error of a migration says so, and what has become of the programs that ran before.
    func explain(_ error: BPFError, _ notUndone: [String] = []) -> BPFError {
        guard case .migrated(let earlier, _) = origin else { return error }
        var detail = "\(error)"
        for failure in notUndone { detail += "; a former program could not be put back: \(failure)" }
        return .notMigrated(pins: earlier.path, wanted: layouts.current, detail: detail)
    }
}
