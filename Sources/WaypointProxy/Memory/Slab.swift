/// Records addressed by number, which live as long as their worker. Pages are taken when a record is first
/// used, so a large capacity costs nothing.
///
/// Elements are changed in place through a shared owner: two records can be used side by side without copies
/// and without exclusivity checks. That is safe since records are plain bytes that never move, and a number
/// outside the capacity stops the program.
internal import Glibc

@safe struct Slab<Record: BitwiseCopyable>: ~Copyable {
    private let records: UnsafeMutablePointer<Record>
    let capacity: Int32

    /// All bytes of a fresh record are zero; `Record` must be valid so.
    init(capacity: Int32) {
        precondition(capacity > 0, "a slab holds at least one record")
        guard let memory = unsafe calloc(Int(capacity), MemoryLayout<Record>.stride) else {
            preconditionFailure("no memory for \(capacity) records of \(MemoryLayout<Record>.stride) bytes")
        }
        unsafe records = memory.bindMemory(to: Record.self, capacity: Int(capacity))
        self.capacity = capacity
    }

    /// Begins with the first `count` records of `other`.
    init(capacity: Int32, copying other: borrowing Slab<Record>, count: Int32) {
        precondition(count >= 0 && count <= other.capacity && count <= capacity, "no room for the records")
        self.init(capacity: capacity)
        unsafe records.update(from: other.records, count: Int(count))
    }

    deinit {
        unsafe free(records)
    }

    subscript(_ number: Int32) -> Record {
        @inline(__always) unsafeAddress {
            precondition(number >= 0 && number < capacity, "no such record")
            return unsafe UnsafePointer(records + Int(number))
        }
        @inline(__always) nonmutating unsafeMutableAddress {
            precondition(number >= 0 && number < capacity, "no such record")
            return unsafe records + Int(number)
        }
    }

    /// Lends `range` for reading.
    @inline(__always)
    func read<Result>(_ range: Range<Int32>, _ body: (Span<Record>) -> Result) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity, "no such record")
        return unsafe body(
            UnsafeBufferPointer(start: records + Int(range.lowerBound), count: range.count).span)
    }
}
