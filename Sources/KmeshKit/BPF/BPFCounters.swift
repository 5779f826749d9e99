internal import CLinux

/// Counters that programs keep in an array with one element per number and CPU.
public final class BPFCounters: Sendable {
    private let descriptor: FileDescriptor
    private let name: String
    /// CPUs that could come, each with an element.
    package let cpuCount: Int

    public init(_ descriptor: consuming FileDescriptor, name: String) throws(BPFError) {
        self.descriptor = descriptor
        self.name = name
        do throws(Errno) {
            let text = try Files.readText("/sys/devices/system/cpu/possible")
            // "0-3" or "0": the kernel keeps an element for every CPU that could come.
            let last = text.split { !$0.isNumber }.compactMap { Int($0) }.max() ?? 0
            cpuCount = last + 1
        } catch {
            throw .failed("count the possible CPUs", error)
        }
    }

    /// The sum over all CPUs.
    public func value(of number: UInt32) throws(MapError) -> UInt64 {
        var perCPU = [UInt64](repeating: 0, count: cpuCount)
        let result = unsafe kmesh_bpf_map_lookup(descriptor.number, [number], &perCPU)
        guard result >= 0 else { throw MapError(map: name, operation: .read, errno: Errno(-result)) }
        return perCPU.reduce(0, &+)
    }
}
