/// How much a map holds, as the kernel accounts for it.
public struct MapMemory: Sendable {
    public let name: String
    private let descriptor: SharedDescriptor
    private let capacity: Int

    public init(_ descriptor: consuming FileDescriptor, name: String) throws(BPFError) {
        self.name = name
        capacity = try MapFacts(of: descriptor, name: name).capacity
        self.descriptor = SharedDescriptor(descriptor)
    }

    /// - Parameter entries: entries in the map, where somebody knows; else they are counted in the kernel.
    public func snapshot(entries: Int?) -> MapSnapshot {
        MapSnapshot(name: name, capacity: UInt64(capacity), entries: UInt64(entries ?? 0), bytes: bytes)
    }

    /// Kernel memory in use, from the descriptor's facts; 0 when they cannot be read.
    private var bytes: UInt64 {
        guard let text = try? Files.readText("/proc/self/fdinfo/\(descriptor.file.number)") else { return 0 }
        let line = text.split(separator: "\n").first { $0.hasPrefix("memlock:") }
        return line.flatMap { UInt64($0.dropFirst("memlock:".count).drop { !$0.isNumber }) } ?? 0
    }
}
