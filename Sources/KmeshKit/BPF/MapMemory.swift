internal import CLinux
internal import Glibc

/// How full a map is, and what it takes of the kernel's memory.
public struct MapMemory: Sendable {
    public let name: String
    private let descriptor: SharedDescriptor
    private let facts: MapFacts

    public var capacity: Int { facts.capacity }

    public init(_ descriptor: consuming FileDescriptor, name: String) throws(BPFError) {
        self.name = name
        facts = try MapFacts(of: descriptor, name: name)
        self.descriptor = SharedDescriptor(descriptor)
    }

    /// What to tell about maps of an earlier run that have other capacities than are asked for now.
    public static func keptCapacities(
        _ maps: [MapMemory], wanted: [(map: String, capacity: UInt32)]
    ) -> [String] {
        wanted.compactMap { name, wanted in
            let map = maps.first { $0.name == name }
            guard let capacity = map?.capacity, capacity != Int(wanted) else { return nil }
            return "map \(name) keeps the capacity of an earlier run, \(capacity) instead of \(wanted): "
                + "to change it, run `kmesh-daemon uninstall` and enroll the pods again"
        }
    }

    /// - Parameters:
    ///   - entries: entries in the map, where somebody knows; else a hash map's are counted in the kernel.
    ///   - created: how many entries programs ever made in a map that evicts.
    public func snapshot(entries known: Int? = nil, created: UInt64? = nil) -> MapSnapshot {
        let entries = known.map { UInt64($0) } ?? countEntries()
        let evictions = created.flatMap { created in entries.map { created - min($0, created) } }
        return MapSnapshot(
            name: name, capacity: UInt64(facts.capacity), entries: entries, evictions: evictions, bytes: bytes
        )
    }

    /// Walks the keys of a hash map; `nil` for other maps and when the kernel refuses.
    private func countEntries() -> UInt64? {
        guard [BPF_MAP_TYPE_HASH.rawValue, BPF_MAP_TYPE_LRU_HASH.rawValue].contains(UInt32(facts.type)) else {
            return nil
        }
        let chunk = MapFacts.batchSize(bytesPerEntry: facts.keySize + facts.valueSize)
        var keys = [UInt8](repeating: 0, count: chunk * facts.keySize)
        var values = [UInt8](repeating: 0, count: chunk * facts.valueSize)
        var total: UInt64 = 0
        var position: UInt32?
        while true {
            var next: UInt32 = 0
            var count = UInt32(chunk)
            let result = unsafe withUnsafePointer(to: position ?? 0) { start in
                unsafe kmesh_bpf_map_lookup_batch(
                    descriptor.file.number, position == nil ? nil : start, &next, &keys, &values, &count)
            }
            guard result >= 0 || result == -ENOENT else { return nil }
            total += UInt64(count)
            if result == -ENOENT { return total }
            position = next
        }
    }

    /// Kernel memory in use, from the descriptor's facts; 0 when they cannot be read.
    private var bytes: UInt64 {
        guard let text = try? Files.readText("/proc/self/fdinfo/\(descriptor.file.number)") else { return 0 }
        let line = text.split(separator: "\n").first { $0.hasPrefix("memlock:") }
        return line.flatMap { UInt64($0.dropFirst("memlock:".count).drop { !$0.isNumber }) } ?? 0
    }
}
