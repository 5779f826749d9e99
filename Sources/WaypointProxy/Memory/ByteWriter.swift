/// Appends bytes to a chunk. What does not fit is not written, and `hasOverflowed` says so: callers look
/// once, at the end.
internal import CLinux

struct ByteWriter: ~Copyable {
    let chunk: ByteChunk
    private(set) var count = 0
    private(set) var hasOverflowed = false

    init(capacity: Int) { chunk = ByteChunk(capacity: capacity) }

    mutating func clear() {
        count = 0
        hasOverflowed = false
    }

    /// Takes back what was appended after the first `length` bytes.
    mutating func truncate(to length: Int) {
        precondition(length >= 0 && length <= count, "only what is there can be taken back")
        count = length
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        guard hasRoom(1) else { return }
        chunk[count] = byte
        count &+= 1
    }

    @inline(__always)
    mutating func append(_ bytes: Span<UInt8>) {
        guard hasRoom(bytes.count) else { return }
        chunk.write(bytes, at: count)
        count &+= bytes.count
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        unsafe append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).span)
    }

    /// For text that is kept as bytes in the configuration.
    mutating func append(_ bytes: [UInt8]) { append(bytes.span) }

    mutating func append(decimal number: UInt64) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }

    /// The text of an IPv4 address.
    @inline(__always)
    mutating func append(v4 address: UInt32) {
        let room = Int(KMESH_IPV4_ROOM)
        guard hasRoom(room) else { return }
        count &+= unsafe chunk.lend(count..<(count &+ room)) { bytes, _ in
            unsafe kmesh_write_ipv4(bytes, address)
        }
    }

    /// The text of a UUID.
    @inline(__always)
    mutating func append(uuid high: UInt64, _ low: UInt64) {
        let length = Int(KMESH_UUID_LENGTH)
        guard hasRoom(length) else { return }
        unsafe chunk.lend(count..<(count &+ length)) { bytes, _ in
            unsafe kmesh_write_uuid(bytes, UInt(high), UInt(low))
        }
        count &+= length
    }

    func read<Result>(_ body: (Span<UInt8>) -> Result) -> Result { chunk.read(0..<count, body) }

    @inline(__always)
    private mutating func hasRoom(_ more: Int) -> Bool {
        if count &+ more <= chunk.capacity { return true }
        hasOverflowed = true
        return false
    }
}
