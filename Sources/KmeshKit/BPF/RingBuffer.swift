internal import CLinux
internal import Glibc
internal import Synchronization

/// The reading side of a ring buffer, in which programs leave records. A map has one reader at a time; the
/// next one goes on where it ended.
@safe public struct RingBuffer: ~Copyable, @unchecked Sendable {
    public let name: String
    /// Readable while there are records.
    public var descriptor: Int32 { map.number }

    private let map: FileDescriptor
    private let memory: RingMemory
    /// Bytes read since the map was made.
    private var position: UInt

    public init(_ map: consuming FileDescriptor, name: String) throws(BPFError) {
        let facts = try MapFacts(of: map, name: name)
        guard facts.type == Int(BPF_MAP_TYPE_RINGBUF.rawValue) else {
            throw .failed("read the map \(name): it is no ring buffer", .invalid)
        }
        do throws(Errno) {
            try self.init(map, name: name, size: facts.capacity)
        } catch {
            throw .failed("map the ring buffer \(name) into memory", error)
        }
    }

    /// - Parameters:
    ///   - file: a map, or a file of the same layout.
    ///   - size: of the records' part, a power of two.
    init(_ file: consuming FileDescriptor, name: String, size: Int) throws(Errno) {
        let memory = try RingMemory(file, size: size)
        let position = memory.consumed
        // Positions that cannot be are not those of a reader like this one.
        guard memory.produced &- position <= UInt(size), position % 8 == 0 else { throw .invalid }
        self.memory = memory
        self.position = position
        self.map = file
        self.name = name
    }

    /// Hands the records that are there to `body`, oldest first, at most `limit`. How many there were, those
    /// included that a program gave up; if as many as `limit`, there may be more.
    public mutating func drain(limit: Int, _ body: (Span<UInt8>) -> Void) -> Int {
        var count = 0
        while count < limit, let record = memory.record(at: position) {
            if !record.isDiscarded { memory.lend(record, at: position, to: body) }
            position &+= record.stride
            memory.consume(to: position)
            count += 1
        }
        return count
    }
}

extension Span<UInt8> {
    /// The record as the C struct that the program wrote; `nil` when its size is another.
    public func record<Record: BitwiseCopyable>(as type: Record.Type) -> Record? {
        guard count == MemoryLayout<Record>.size else { return nil }
        return unsafe bytes.unsafeLoadUnaligned(as: type)
    }
}

/// The shared memory: a page with the reader's position, a page with the writers', and the records. These are
/// there twice in a row, so that one that wraps around is in one piece.
@safe private final class RingMemory {
    struct Record {
        /// Bytes of what the program wrote.
        let size: Int
        let isDiscarded: Bool
        /// Bytes to the next one: a header, and all rounded up to 8.
        var stride: UInt { UInt((size + RingMemory.headerSize + 7) & ~7) }
    }

    private static let headerSize = Int(BPF_RINGBUF_HDR_SZ)
    private let page: Int
    private let size: Int
    private let consumer: UnsafeMutableRawPointer
    private let producer: UnsafeMutableRawPointer

    init(_ file: borrowing FileDescriptor, size: Int) throws(Errno) {
        let page = sysconf(Int32(_SC_PAGESIZE))
        let consumer = unsafe try map(file, at: 0, size: page, PROT_READ | PROT_WRITE)
        do throws(Errno) {
            unsafe producer = try map(file, at: page, size: page + 2 * size, PROT_READ)
        } catch {
            unsafe munmap(consumer, page)
            throw error
        }
        unsafe self.consumer = consumer
        self.page = page
        self.size = size
    }

    deinit {
        unsafe munmap(consumer, page)
        unsafe munmap(producer, page + 2 * size)
    }

    var consumed: UInt { unsafe atomic(consumer, UInt.self).pointee.load(ordering: .relaxed) }
    var produced: UInt { unsafe atomic(producer, UInt.self).pointee.load(ordering: .acquiring) }

    /// Gives the room before `position` back. Programs wake the reader only when it has read all: they must
    /// not miss this position when the look for more records that follows has missed theirs.
    func consume(to position: UInt) {
        unsafe atomic(consumer, UInt.self).pointee.store(position, ordering: .sequentiallyConsistent)
    }

    /// `nil` when there is none, or the program has not finished it.
    func record(at position: UInt) -> Record? {
        let available = produced &- position
        guard available > 0 else { return nil }
        let header = unsafe atomic(start(of: position), UInt32.self).pointee.load(ordering: .acquiring)
        guard header & UInt32(BPF_RINGBUF_BUSY_BIT) == 0 else { return nil }
        // A second reader of the map could make programs overwrite what is read here: nothing that such a
        // header says leads beyond what has been produced.
        let limit = max(min(Int(clamping: available), size) - Self.headerSize, 0)
        return Record(
            size: min(Int(header & ~UInt32(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)), limit),
            isDiscarded: header & UInt32(BPF_RINGBUF_DISCARD_BIT) != 0)
    }

    func lend(_ record: Record, at position: UInt, to body: (Span<UInt8>) -> Void) {
        let first = unsafe (start(of: position) + Self.headerSize).assumingMemoryBound(to: UInt8.self)
        body(unsafe Span(_unsafeStart: first, count: record.size))
    }

    private func start(of position: UInt) -> UnsafeMutableRawPointer {
        unsafe producer + page + Int(position & UInt(size - 1))
    }
}

private func atomic<Value: AtomicRepresentable>(
    _ pointer: UnsafeMutableRawPointer, _ type: Value.Type
) -> UnsafeMutablePointer<Atomic<Value>> {
    unsafe pointer.assumingMemoryBound(to: Atomic<Value>.self)
}

private func map(
    _ file: borrowing FileDescriptor, at offset: Int, size: Int, _ protection: Int32
) throws(Errno) -> UnsafeMutableRawPointer {
    let pointer = unsafe mmap(nil, size, protection, MAP_SHARED, file.number, offset)
    guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else { throw Errno(errno) }
    return unsafe pointer
}
