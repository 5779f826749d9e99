/// Buffers addressed by number, in two sizes. A connection holds one only while bytes are in it, and the one that
/// was given back last is taken first: it is still in the processor's caches.
internal import Glibc

@safe struct BufferPool: ~Copyable {
    /// Free bytes in front of what is received, so that an edited head fits before the body's first bytes.
    static let headroom: Int32 = 1024
    /// What one small buffer receives at once.
    static let small: Int32 = 16384
    /// The largest head, and what one large buffer receives at once.
    static let large: Int32 = 65536
    static let smallCapacity = headroom + small
    static let largeCapacity = headroom + large + headroom

    /// Buffers of each size that keep their memory while nobody has them.
    private static let keptSmall: Int32 = 256
    private static let keptLarge: Int32 = 64
    /// In place of a link: the number has no memory.
    private static let withoutMemory: Int32 = -2

    private let chunks: UnsafeMutablePointer<ByteChunk>
    private let links: Slab<Int32>
    let capacity: Int32
    /// Numbers from here on were never used.
    private var fresh: Int32 = 0
    private var smallHead: Int32 = -1
    private var smallCount: Int32 = 0
    private var largeHead: Int32 = -1
    private var largeCount: Int32 = 0
    /// Numbers whose memory went back.
    private var empties: [Int32] = []
    /// How many are held.
    private(set) var held: Int32 = 0

    init(capacity: Int32) {
        precondition(capacity > 0, "a pool holds at least one buffer")
        let stride = MemoryLayout<ByteChunk>.stride
        guard let memory = unsafe calloc(Int(capacity), stride) else {
            preconditionFailure("no memory for \(capacity) buffers")
        }
        unsafe chunks = memory.bindMemory(to: ByteChunk.self, capacity: Int(capacity))
        links = Slab(capacity: capacity)
        self.capacity = capacity
    }

    deinit {
        // Those that are held at the worker's end go with it; a number without memory holds no chunk.
        for number in 0..<fresh where links[number] != Self.withoutMemory {
            unsafe (chunks + Int(number)).deinitialize(count: 1)
        }
        unsafe free(chunks)
    }

    subscript(_ number: Int32) -> ByteChunk {
        @inline(__always) unsafeAddress {
            precondition(number >= 0 && number < fresh, "no such buffer")
            return unsafe UnsafePointer(chunks + Int(number))
        }
    }

    /// -1 when all are held.
    @inline(__always)
    mutating func take() -> Int32 {
        let number = smallHead
        guard number >= 0 else { return make(Self.smallCapacity) }
        smallHead = links[number]
        smallCount &-= 1
        held &+= 1
        return number
    }

    mutating func takeLarge() -> Int32 {
        let number = largeHead
        guard number >= 0 else { return make(Self.largeCapacity) }
        largeHead = links[number]
        largeCount &-= 1
        held &+= 1
        return number
    }

    func isLarge(_ number: Int32) -> Bool { self[number].capacity > Int(Self.smallCapacity) }

    @inline(__always)
    mutating func give(_ number: Int32) {
        held &-= 1
        if !isLarge(number) {
            guard smallCount < Self.keptSmall else { return release(number) }
            links[number] = smallHead
            smallHead = number
            smallCount &+= 1
        } else {
            guard largeCount < Self.keptLarge else { return release(number) }
            links[number] = largeHead
            largeHead = number
            largeCount &+= 1
        }
    }

    private mutating func make(_ size: Int32) -> Int32 {
        let number: Int32
        if let empty = empties.popLast() {
            number = empty
        } else if fresh < capacity {
            number = fresh
            fresh += 1
        } else {
            return -1
        }
        links[number] = -1
        unsafe (chunks + Int(number)).initialize(to: ByteChunk(capacity: Int(size)))
        held += 1
        return number
    }

    private mutating func release(_ number: Int32) {
        unsafe (chunks + Int(number)).deinitialize(count: 1)
        links[number] = Self.withoutMemory
        empties.append(number)
    }
}
