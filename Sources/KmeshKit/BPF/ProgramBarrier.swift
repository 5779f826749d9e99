internal import CLinux

/// Waits until no program runs any more that ran when the wait began. What such a program may have found in a
/// map can be removed, or used anew, afterwards.
///
/// An update of a map of maps is what the kernel offers for this: it returns only after a grace period of
/// RCU, so that every program that could be running uses the new value (`maybe_wait_bpf_programs` in
/// kernel/bpf/syscall.c). `membarrier(MEMBARRIER_CMD_GLOBAL)` waits for such a period too, but not on a
/// machine with one CPU, and it is refused where CPUs run without a tick (kernel/sched/membarrier.c).
public final class ProgramBarrier: Sendable {
    private let outer: FileDescriptor
    private let inner: FileDescriptor

    /// Makes what the wait needs, so that it needs nothing later.
    public init() throws(BPFError) {
        inner = FileDescriptor(
            owning: try Self.made(kmesh_bpf_map_create(BPF_MAP_TYPE_ARRAY.rawValue, 4, 4, 1, 0)))
        outer = FileDescriptor(owning: try Self.made(kmesh_bpf_map_of_maps_create(inner.number)))
    }

    private static func made(_ result: Int32) throws(BPFError) -> Int32 {
        guard result >= 0 else { throw .failed("make a map to wait for programs", Errno(-result)) }
        return result
    }

    /// Blocks the calling thread: 4 to 30 ms on an idle machine, longer on a busy one.
    public func wait() throws(BPFError) {
        let result = unsafe kmesh_bpf_map_update(outer.number, [UInt32(0)], [inner.number], 0)
        guard result >= 0 else { throw .failed("wait for programs to end", Errno(-result)) }
    }

    /// Waits on a thread of its own.
    public func passed() async throws(BPFError) {
        let result: Result<Void, BPFError>
        do throws(Errno) {
            result = try await DedicatedThread.run("kmesh-grace") {
                do throws(BPFError) {
                    return .success(try self.wait())
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw .failed("wait for programs to end", error)
        }
        try result.get()
    }
}
