internal import CLinux
internal import Glibc

/// Keys of maps that have no batches, and words of arrays that are no map of ours to write: sockets, programs
/// and what CPUs keep each for themselves.
public struct BPFMapKeys: Sendable {
    private let descriptor: SharedDescriptor
    private let name: String
    private let facts: MapFacts

    public init(_ descriptor: SharedDescriptor, name: String) throws(BPFError) {
        facts = try MapFacts(of: descriptor.file, name: name)
        self.descriptor = descriptor
        self.name = name
    }

    /// Keys of 8 bytes, in no order. Those that come and go meanwhile may be missing. Ends after as many keys
    /// as the map has room for, for a key that goes makes the kernel start again.
    public func numbers() throws(MapError) -> [UInt64] {
        precondition(facts.keySize == 8, "map \(name) has other keys")
        var keys: Set<UInt64> = []
        var last: UInt64?
        for _ in 0..<facts.capacity {
            var next: UInt64 = 0
            let result = unsafe withUnsafePointer(to: last ?? 0) { key in
                unsafe kmesh_bpf_map_next_key(descriptor.file.number, last == nil ? nil : key, &next)
            }
            if result == -ENOENT { break }
            guard result >= 0 else { throw MapError(map: name, operation: .read, errno: Errno(-result)) }
            keys.insert(next)
            last = next
        }
        return Array(keys)
    }

    /// The words of an array's element; nil when it is empty.
    /// - Parameter count: of the words: for an array that each CPU has for itself, those of all CPUs.
    public func words(at index: UInt32, count: Int) throws(MapError) -> [UInt32]? {
        var words = [UInt32](repeating: 0, count: count)
        let result = unsafe kmesh_bpf_map_lookup(descriptor.file.number, [index], &words)
        if result == -ENOENT { return nil }
        guard result >= 0 else { throw MapError(map: name, operation: .read, errno: Errno(-result)) }
        return words
    }
}
