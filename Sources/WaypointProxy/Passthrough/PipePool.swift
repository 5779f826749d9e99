/// Pipes that splice moves bytes through; making one costs more than the bytes of a short stream.

struct PipePool: ~Copyable {
    struct Pipe: SlotRecord {
        var reading: Int32 = -1
        var writing: Int32 = -1
        var capacity: Int32 = 0
        /// Bytes in it.
        var filled: Int32 = 0
        var nextFree: Int32 = -1
    }

    /// Bytes that a pipe should hold; the kernel's limits may allow less.
    private static let wished: Int32 = 1 << 20

    private let pipes: Slab<Pipe>
    private var slots: SlotAllocator
    private let kept: Int32
    private var idle: [Int32] = []

    init(capacity: Int32, kept: Int32) {
        pipes = Slab(capacity: capacity)
        slots = SlotAllocator(capacity: capacity)
        self.kept = kept
    }

    subscript(_ number: Int32) -> Pipe {
        @inline(__always) get { pipes[number] }
        @inline(__always) nonmutating set { pipes[number] = newValue }
    }

    /// An empty pipe; -1 when the kernel has none, and bytes must be copied.
    mutating func take(_ telemetry: borrowing WorkerTelemetry) -> Int32 {
        if let number = idle.popLast() { return number }
        let number = slots.take(pipes)
        guard number >= 0 else { return -1 }
        guard let (reading, writing, capacity) = Streams.makePipe(size: Self.wished) else {
            pipes[number].reading = -1
            slots.give(number, pipes)
            telemetry.count(.pipesUnavailable)
            return -1
        }
        if capacity < Self.wished { telemetry.count(.pipesSmall) }
        pipes[number] = Pipe(reading: reading, writing: writing, capacity: capacity)
        return number
    }

    /// A pipe with bytes in it is of no use to others.
    mutating func give(_ number: Int32) {
        if pipes[number].filled == 0, Int32(idle.count) < kept {
            idle.append(number)
        } else {
            close(number)
        }
    }

    /// Closes those that wait for use. Whether there were any.
    mutating func giveUpIdle() -> Bool {
        guard !idle.isEmpty else { return false }
        for number in idle { close(number) }
        idle.removeAll(keepingCapacity: true)
        return true
    }

    private mutating func close(_ number: Int32) {
        Streams.close(pipes[number].reading)
        Streams.close(pipes[number].writing)
        pipes[number].reading = -1
        slots.give(number, pipes)
    }

    /// At the worker's end, also those in use.
    mutating func closeAll() {
        for number in 0..<slots.highWater where pipes[number].reading >= 0 {
            Streams.close(pipes[number].reading)
            Streams.close(pipes[number].writing)
        }
    }
}
