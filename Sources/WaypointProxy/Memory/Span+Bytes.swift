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
}
