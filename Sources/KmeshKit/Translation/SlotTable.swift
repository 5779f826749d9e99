/// An index into a `SlotTable`.
typealias Slot = Int32

/// Records under small stable numbers, which other records keep instead of names.
struct SlotTable<Record: Sendable>: Sendable {
    private var records: [Record?] = []
    private var free: [Slot] = []

    var count: Int { records.count - free.count }

    mutating func insert(_ record: Record) -> Slot {
        if let slot = free.popLast() {
            records[Int(slot)] = record
            return slot
        }
        records.append(record)
        return Slot(records.count - 1)
    }

    mutating func remove(_ slot: Slot) {
        records[Int(slot)] = nil
        free.append(slot)
    }

    func isUsed(_ slot: Slot) -> Bool { records[Int(slot)] != nil }

    /// The record of a slot in use.
    subscript(slot: Slot) -> Record {
        get {
            guard let record = records[Int(slot)] else { preconditionFailure("slot \(slot) is free") }
            return record
        }
        _modify {
            // Taken out while it changes, so that its arrays stay uniquely referenced.
            guard var record = records[Int(slot)].take() else { preconditionFailure("slot \(slot) is free") }
            defer { records[Int(slot)] = record }
            yield &record
        }
    }

    func forEach(_ body: (Slot, Record) -> Void) {
        for (index, record) in records.enumerated() {
            if let record { body(Slot(index), record) }
        }
    }
}

extension Dictionary where Value == [Slot] {
    /// Adds one occurrence of `slot` under `key`.
    mutating func append(_ slot: Slot, to key: Key) {
        self[key, default: []].append(slot)
    }

    /// Removes one occurrence of `slot` under `key`, and the key with its last slot.
    mutating func removeOne(_ slot: Slot, from key: Key) {
        guard let index = self.index(forKey: key) else { return }
        values[index].removeOne(slot)
        if values[index].isEmpty { remove(at: index) }
    }
}

extension [Slot] {
    /// Removes one occurrence of `slot`; the order of the others is not kept.
    mutating func removeOne(_ slot: Slot) {
        guard let index = firstIndex(of: slot) else { return }
        swapAt(index, count - 1)
        removeLast()
    }
}
