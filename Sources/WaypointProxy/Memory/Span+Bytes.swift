// Searching and comparing in bytes that came from the network.
internal import CLinux
internal import Glibc

extension Span<UInt8> {
    /// The place of the first line feed from `start` on; `count` when there is none.
    @inline(__always)
    func lineFeed(from start: Int) -> Int {
        precondition(start >= 0, "a search starts inside")
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe kmesh_find_line_feed(base, start, bytes.count)
        }
    }

    /// Whether the bytes from `start` on begin with `text`.
    @inline(__always)
    func matches(_ text: StaticString, at start: Int) -> Bool {
        guard start >= 0, start &+ text.utf8CodeUnitCount <= count else { return false }
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return text.utf8CodeUnitCount == 0 }
            return unsafe memcmp(base + start, text.utf8Start, text.utf8CodeUnitCount) == 0
        }
    }

    /// Whether the bytes from `start` on are all of `other`.
    @inline(__always)
    func matches(_ other: Span<UInt8>, at start: Int) -> Bool {
        guard start >= 0, start &+ other.count <= count else { return false }
        return unsafe withUnsafeBufferPointer { bytes in
            unsafe other.withUnsafeBufferPointer { other in
                guard let base = bytes.baseAddress, let others = other.baseAddress else {
                    return other.isEmpty
                }
                return unsafe memcmp(base + start, others, other.count) == 0
            }
        }
    }

    /// Whether the bytes from `start` on, and they are fewer, are the beginning of `text`.
    func isPrefix(of text: StaticString, from start: Int) -> Bool {
        guard start >= 0, start <= count, count - start < text.utf8CodeUnitCount else { return false }
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return true }
            return unsafe memcmp(base + start, text.utf8Start, bytes.count - start) == 0
        }
    }

    /// The end of the token that begins at `start`: of a method, of a header's name.
    @inline(__always)
    func tokenEnd(from start: Int, to end: Int) -> Int { classEnd(KMESH_BYTE_TOKEN, start, end) }

    /// The end of the visible bytes without `#` that begin at `start`.
    @inline(__always)
    func targetEnd(from start: Int) -> Int {
        precondition(start >= 0, "a search starts inside")
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe kmesh_end_of_target(base, start, bytes.count)
        }
    }

    /// The place of the first `byte` from `start` on and before `end`; `end` when there is none.
    @inline(__always)
    func find(_ byte: UInt8, from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && end <= count, "a search stays inside")
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe kmesh_find_byte(base, start, end, bytes.count, byte)
        }
    }

    /// The end of the letters, digits and `-._~` that begin at `start`.
    @inline(__always)
    func hostEnd(from start: Int, to end: Int) -> Int { classEnd(KMESH_BYTE_HOST, start, end) }

    @inline(__always)
    private func classEnd(_ sets: Int32, _ start: Int, _ end: Int) -> Int {
        precondition(start >= 0 && end <= count, "a search stays inside")
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe kmesh_end_of_class(base, start, end, bytes.count, UInt8(truncatingIfNeeded: sets))
        }
    }

    /// The place of the first control byte from `start` on that is no tab; `count` when there is none.
    @inline(__always)
    func control(from start: Int) -> Int {
        precondition(start >= 0, "a search starts inside")
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe kmesh_find_control(base, start, bytes.count)
        }
    }

    /// The header line that begins at `start`; `nil` when it is none, or not whole. `known` is left open.
    @inline(__always)
    func headerField(from start: Int) -> HeaderField? {
        precondition(start >= 0, "a line begins inside")
        return unsafe withUnsafeBufferPointer { bytes in
            var line = kmesh_header_line()
            guard let base = bytes.baseAddress, unsafe kmesh_scan_header(base, start, bytes.count, &line)
            else { return nil }
            let first = Int32(truncatingIfNeeded: start)
            return HeaderField(
                name: ByteRange(start: first, count: line.name_end &- first),
                value: ByteRange(start: line.value, count: line.value_end &- line.value),
                line: ByteRange(start: first, count: line.line_end &+ 2 &- first))
        }
    }

    /// A hash of `range` that goes on from `hash`. `folded`: letters of both cases are the same; some other
    /// bytes are, too.
    @inline(__always)
    func hash(_ range: Range<Int>, from hash: UInt64, folded: Bool) -> UInt64 {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "outside the bytes")
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return hash }
            let fold: UInt = folded ? 0x2020_2020_2020_2020 : 0
            return unsafe UInt64(kmesh_hash(UInt(hash), base + range.lowerBound, range.count, fold))
        }
    }

    /// Whether `range`, which must hold a token, is `lower` in any case. `lower` consists of `a` to `z` and
    /// `-`.
    @inline(__always)
    func isName(_ range: ByteRange, _ lower: StaticString) -> Bool {
        guard Int(range.count) == lower.utf8CodeUnitCount else { return false }
        precondition(range.start >= 0 && range.range.upperBound <= count, "a name is inside")
        return unsafe withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return false }
            return unsafe kmesh_is_name(
                base + Int(range.start), lower.utf8Start, lower.utf8CodeUnitCount)
        }
    }

    /// Whether `range` is `lower`, which is in lower case, but for the case of letters.
    @inline(__always)
    func equals(_ range: ByteRange, ignoringCase lower: StaticString) -> Bool {
        unsafe equals(
            range,
            ignoringCase: UnsafeBufferPointer(start: lower.utf8Start, count: lower.utf8CodeUnitCount).span)
    }

    @inline(__always)
    func equals(_ range: ByteRange, ignoringCase lower: Span<UInt8>) -> Bool {
        guard Int(range.count) == lower.count else { return false }
        precondition(range.start >= 0 && range.range.upperBound <= count, "a comparison is inside")
        return unsafe withUnsafeBufferPointer { bytes in
            unsafe lower.withUnsafeBufferPointer { lower in
                guard let base = bytes.baseAddress, let text = lower.baseAddress else { return true }
                return unsafe kmesh_equals_ignoring_case(base + Int(range.start), text, lower.count)
            }
        }
    }

    /// Whether `range` is the beginning, or all, of `lower` but for the case of letters.
    func beginsIgnoringCase(_ range: ByteRange, _ lower: StaticString) -> Bool {
        guard Int(range.count) <= lower.utf8CodeUnitCount else { return false }
        return unsafe equals(
            range, ignoringCase: UnsafeBufferPointer(start: lower.utf8Start, count: Int(range.count)).span)
    }
}
