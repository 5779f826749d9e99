internal import KmeshKit

/// Brings the maps to what is wanted.
extension RouteDataplane {
    /// What listeners will lead to first, then the listeners. What fails keeps back only what needs it.
    mutating func write() {
        var writer = MapWriter()
        defer { writes += writer.writes }
        stall = units.write(&writer)
        do throws(MapError) {
            try removeListeners(&writer)
        } catch {
            stall = error
        }
        do throws(MapError) {
            try writeListeners(&writer)
        } catch {
            stall = error
        }
    }

    private mutating func removeListeners(_ writer: inout MapWriter) throws(MapError) {
        let keys = departing.sorted { $0.words.lexicographicallyPrecedes($1.words) }
        var left = keys, removed = 0
        defer {
            for key in keys.prefix(keys.count - left.count) {
                if let old = held.removeValue(forKey: key) { units.release(old.root) }
            }
        }
        try writer.remove(&left, from: maps.listeners, &removed)
    }

    /// Those that lead to what is not all in the maps stay as they are.
    private mutating func writeListeners(_ writer: inout MapWriter) throws(MapError) {
        let ready = wanted.filter { held[$0.key]?.value != $0.value.value && units.isWritten($0.value.root) }
        let entries = ready.map { MapEntry($0.key, $0.value.value) }
        var left = entries
        defer {
            for entry in entries.prefix(entries.count - left.count) {
                let root = entry.value.root
                units.retain(root)
                let new = HeldListener(value: entry.value, root: root, owner: wanted[entry.key]?.owner)
                if let old = held.updateValue(new, forKey: entry.key) { units.release(old.root) }
            }
        }
        try writer.upsert(&left, into: maps.listeners)
        // Also of what an earlier run has written as it is wanted.
        for (key, listener) in wanted where held[key]?.value == listener.value {
            held[key]?.owner = listener.owner
        }
    }
}
