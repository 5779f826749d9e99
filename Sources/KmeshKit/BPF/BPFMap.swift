internal import CLinux
internal import Glibc

/// A map in the kernel, read and written by bpf(2).
public final class BPFMap<Key: MapWords, Value: MapWords>: KeyValueMap {
    public let name: String
    public let capacity: Int
    private let descriptor: FileDescriptor

    /// Takes over a map. Its sizes must be those of `Key` and `Value`.
    public init(_ descriptor: consuming FileDescriptor, name: String) throws(BPFError) {
        let facts = try MapFacts(of: descriptor, name: name)
        guard facts.keySize == Key.byteCount, facts.valueSize == Value.byteCount else {
            throw .layoutMismatch(
                map: name, found: "\(facts.keySize)+\(facts.valueSize) bytes",
                wanted: "\(Key.byteCount)+\(Value.byteCount) bytes")
        }
        self.name = name
        self.capacity = facts.capacity
        self.descriptor = descriptor
    }

    public func upsert(_ entries: [MapEntry<Key, Value>]) throws(MapError) {
        var start = 0
        while start < entries.count {
            let chunk = entries[start..<min(start + Self.chunk, entries.count)]
            var keys: [UInt32] = []
            var values: [UInt32] = []
            keys.reserveCapacity(chunk.count * Key.byteCount / 4)
            values.reserveCapacity(chunk.count * Value.byteCount / 4)
            for entry in chunk {
                entry.key.append(to: &keys)
                entry.value.append(to: &values)
                if Value.isSealed {
                    let keySeal = seal(keys.suffix(Key.wordCount))
                    values.append(seal(values.suffix(Value.wordCount), from: keySeal))
                }
            }
            var count = UInt32(chunk.count)
            let result = unsafe kmesh_bpf_map_update_batch(descriptor.number, keys, values, &count)
            guard result >= 0 else {
                throw MapError(map: name, operation: .update, errno: Errno(-result))
            }
            start += chunk.count
        }
    }

    public func remove(_ keys: [Key]) throws(MapError) {
        var start = 0
        while start < keys.count {
            let chunk = keys[start..<min(start + Self.chunk, keys.count)]
            var words: [UInt32] = []
            for key in chunk { key.append(to: &words) }
            var count = UInt32(chunk.count)
            let result = unsafe kmesh_bpf_map_delete_batch(descriptor.number, words, &count)
            switch result {
            case 0...: start += chunk.count
            // The batch stops before a key that is not there: go on behind it.
            case -ENOENT: start += Int(count) + 1
            default: throw MapError(map: name, operation: .delete, errno: Errno(-result))
            }
        }
    }

    public func contents() throws(MapError) -> MapContents<Key, Value> {
        var contents = MapContents<Key, Value>(entries: [:])
        var position: MapPosition?
        repeat {
            position = try collect(from: position, limit: Self.chunk, into: &contents)
        } while position != nil
        return contents
    }

    public func chunk(
        from position: MapPosition?, limit: Int
    ) throws(MapError) -> (contents: MapContents<Key, Value>, next: MapPosition?) {
        var contents = MapContents<Key, Value>(entries: [:])
        let next = try collect(from: position, limit: min(limit, Self.chunk), into: &contents)
        return (contents, next)
    }

    /// Adds the entries from `position` on; returns where the next ones are, `nil` at the end. A position is
    /// a number in a hash map, and a key in others.
    private func collect(
        from position: MapPosition?, limit: Int, into contents: inout MapContents<Key, Value>
    ) throws(MapError) -> MapPosition? {
        var chunk = max(1, limit)
        while true {
            var keys = [UInt32](repeating: 0, count: chunk * Key.byteCount / 4)
            var values = [UInt32](repeating: 0, count: chunk * Value.byteCount / 4)
            var count = UInt32(chunk)
            var next = [UInt32](repeating: 0, count: Key.byteCount / 4)
            let result = readBatch(
                from: position?.words, next: &next, keys: &keys, values: &values, count: &count)
            if result == -ENOSPC {
                // One bucket of the hash has more entries than asked for.
                chunk *= 2
                continue
            }
            guard result >= 0 || result == -ENOENT else {
                throw MapError(map: name, operation: .read, errno: Errno(-result))
            }
            collect(keys, values, count: Int(count), into: &contents)
            return result == -ENOENT ? nil : MapPosition(words: next)
        }
    }

    /// The value of `key`; nil when there is none or its seal does not fit.
    public func value(of key: Key) throws(MapError) -> Value? {
        guard case .found(let value) = try read(key) else { return nil }
        return value
    }

    public func read(_ key: Key) throws(MapError) -> MapReading<Value> {
        var words = [UInt32](repeating: 0, count: Value.byteCount / 4)
        let keyWords = key.words
        let result = unsafe kmesh_bpf_map_lookup(descriptor.number, keyWords, &words)
        if result == -ENOENT { return .absent }
        guard result >= 0 else { throw MapError(map: name, operation: .read, errno: Errno(-result)) }
        guard isIntact(key: keyWords[...], value: words[...]) else { return .damaged }
        return .found(Value(words: words.prefix(Value.wordCount)))
    }

    private static var chunk: Int { MapFacts.batchSize(bytesPerEntry: Key.byteCount + Value.byteCount) }

    private func readBatch(
        from position: [UInt32]?, next: inout [UInt32], keys: inout [UInt32], values: inout [UInt32],
        count: inout UInt32
    ) -> Int32 {
        guard let position else {
            return unsafe kmesh_bpf_map_lookup_batch(descriptor.number, nil, &next, &keys, &values, &count)
        }
        return unsafe kmesh_bpf_map_lookup_batch(
            descriptor.number, position, &next, &keys, &values, &count)
    }

    private func collect(
        _ keys: [UInt32], _ values: [UInt32], count: Int, into contents: inout MapContents<Key, Value>
    ) {
        let valueWords = Value.byteCount / 4
        for index in 0..<count {
            let keyWords = keys[(index * Key.wordCount)..<((index + 1) * Key.wordCount)]
            let words = values[(index * valueWords)..<((index + 1) * valueWords)]
            let key = Key(words: keyWords)
            if isIntact(key: keyWords, value: words) {
                contents.entries[key] = Value(words: words.prefix(Value.wordCount))
            } else {
                contents.damaged.append(key)
            }
        }
    }

    private func isIntact(key: ArraySlice<UInt32>, value: ArraySlice<UInt32>) -> Bool {
        !Value.isSealed || value.last == seal(value.dropLast(), from: seal(key))
    }
}

/// What the kernel says about a map.
public struct MapFacts: Hashable, Sendable {
    public let type: Int
    public let keySize: Int
    public let valueSize: Int
    public let capacity: Int

    /// Entries of one batch: more than a bucket of a hash map holds, but at most 4 MiB, for tables are large.
    static func batchSize(bytesPerEntry: Int) -> Int { max(16, min(4096, (4 << 20) / bytesPerEntry)) }

    public init(of descriptor: borrowing FileDescriptor, name: String) throws(BPFError) {
        var facts = kmesh_bpf_map_facts()
        let result = unsafe kmesh_bpf_map_facts(descriptor.number, &facts)
        guard result >= 0 else { throw .failed("read the facts of map \(name)", Errno(-result)) }
        type = Int(facts.type)
        keySize = Int(facts.key_size)
        valueSize = Int(facts.value_size)
        capacity = Int(facts.max_entries)
    }
}
