/// A thread that takes records from a ring buffer as they come.
internal import Synchronization

public final class RingBufferReader: Sendable {
    public typealias Delivery = @Sendable (Span<UInt8>) -> Void

    private let shared: SharedRing
    private let thread: AsyncStream<Never>

    /// Starts at once. `deliver` runs on the thread, one record after another; programs that find the ring
    /// full meanwhile lose theirs.
    public init(
        _ map: consuming FileDescriptor, name: String, deliver: @escaping Delivery
    ) throws(BPFError) {
        let ring = try RingBuffer(map, name: name)
        let (thread, ending) = AsyncStream.makeStream(of: Never.self)
        do throws(Errno) {
            let shared = try SharedRing(ring)
            try DedicatedThread.start("kmesh-ring") {
                shared.run(deliver)
                ending.finish()
            }
            (self.shared, self.thread) = (shared, thread)
        } catch {
            throw .failed("read the ring buffer \(name) by a thread", error)
        }
    }

    /// When it returns, no record is delivered any more. To be called once.
    public func end() async {
        shared.wakeup.wake()
        for await _ in thread {}
    }

    deinit {
        shared.wakeup.wake()
    }
}

/// What the reader and its thread have in common; the memory goes with the last of them.
private final class SharedRing: Sendable {
    /// Records between two looks at whether to end.
    private static let limit = 256

    let wakeup: WakeDescriptor
    private let descriptor: Int32
    private let ring: Mutex<RingBuffer>

    init(_ ring: consuming RingBuffer) throws(Errno) {
        descriptor = ring.descriptor
        self.ring = Mutex(ring)
        wakeup = try WakeDescriptor()
    }

    func run(_ deliver: RingBufferReader.Delivery) {
        while true {
            // The kernel can refuse for want of memory alone: then later.
            let ready = try? Poll.readable([wakeup.descriptor, descriptor], timeout: nil)
            guard let ready else {
                try? Poll.sleep(.seconds(1))
                continue
            }
            if ready.contains(wakeup.descriptor) { return }
            _ = ring.withLock { $0.drain(limit: Self.limit, deliver) }
        }
    }
}
