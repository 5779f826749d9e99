/// A fixed piece of memory that bytes are received into, edited in and sent from.
internal import Glibc

@safe struct ByteChunk: ~Copyable {
    private let bytes: UnsafeMutablePointer<UInt8>
    let capacity: Int

    init(capacity: Int) {
        precondition(capacity > 0, "a chunk holds at least one byte")
        unsafe bytes = .allocate(capacity: capacity)
        self.capacity = capacity
    }

    deinit {
        unsafe bytes.deallocate()
    }

    subscript(_ offset: Int) -> UInt8 {
        @inline(__always) get {
            precondition(offset >= 0 && offset < capacity, "outside the chunk")
            return unsafe bytes[offset]
        }
        @inline(__always) nonmutating set {
            precondition(offset >= 0 && offset < capacity, "outside the chunk")
            unsafe bytes[offset] = newValue
        }
    }

    /// Lends `range` for reading.
    @inline(__always)
    func read<Result>(_ range: Range<Int>, _ body: (Span<UInt8>) -> Result) -> Result {
        check(range)
        return unsafe body(UnsafeBufferPointer(start: bytes + range.lowerBound, count: range.count).span)
    }

    /// Lends `range` to a system call.
    @inline(__always)
    func lend<Result>(_ range: Range<Int>, _ body: (UnsafeMutablePointer<UInt8>, Int) -> Result) -> Result {
        check(range)
        return unsafe body(bytes + range.lowerBound, range.count)
    }

    /// Moves `range` so that it starts at `offset`; the two may overlap.
    @inline(__always)
    func move(_ range: Range<Int>, to offset: Int) {
        check(range)
        check(offset..<(offset + range.count))
        unsafe memmove(bytes + offset, bytes + range.lowerBound, range.count)
    }

    /// Copies all of `source` to `offset`.
    @inline(__always)
    func write(_ source: Span<UInt8>, at offset: Int) {
        check(offset..<(offset + source.count))
        unsafe source.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            unsafe memcpy(bytes + offset, base, source.count)
        }
    }

    @inline(__always)
    private func check(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity, "outside the chunk")
    }
}
