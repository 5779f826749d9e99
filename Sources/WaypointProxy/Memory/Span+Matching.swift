// Walking and comparing bytes of a request that the router looks at: bounds are checked once for each range.
internal import Glibc

extension Span<UInt8> {
    /// Calls `body` with each byte of `range`, and its place, from the last to the first.
    @inline(__always)
    func walkBack(_ range: Range<Int>, _ body: (Int, UInt8) -> Void) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "outside the bytes")
        var index = range.upperBound
        while index > range.lowerBound {
            index &-= 1
            body(index, unsafe self[unchecked: index])
        }
    }

    /// Whether `range` holds the bytes of `other` from `start` on.
    @inline(__always)
    func isEqual(_ range: Range<Int>, _ other: borrowing [UInt8], _ start: Int) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "outside the bytes")
        precondition(start >= 0 && start &+ range.count <= other.count, "outside the bytes")
        return unsafe withUnsafeBufferPointer { bytes in
            unsafe other.withUnsafeBufferPointer { other in
                guard let base = bytes.baseAddress, let others = other.baseAddress else {
                    return range.isEmpty
                }
                return unsafe memcmp(base + range.lowerBound, others + start, range.count) == 0
            }
        }
    }

    /// The same, with the letters of this one in lower case.
    @inline(__always)
    func isEqualLowered(_ range: Range<Int>, _ other: borrowing [UInt8], _ start: Int) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "outside the bytes")
        precondition(start >= 0 && start &+ range.count <= other.count, "outside the bytes")
        return unsafe withUnsafeBufferPointer { bytes in
            unsafe other.withUnsafeBufferPointer { other in
                var offset = 0
                while offset < range.count {
                    let byte = unsafe bytes[range.lowerBound &+ offset]
                    if unsafe byte.lowered != other[start &+ offset] { return false }
                    offset &+= 1
                }
                return true
            }
        }
    }
}
