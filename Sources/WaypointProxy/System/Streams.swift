/// System calls on TCP streams. Each returns a count or descriptor, or a negative error number: nothing here
/// throws, since most results are ordinary for a loop that never blocks.
internal import CLinux
internal import Glibc
internal import KmeshKit

enum Streams {
    /// Nothing can be done now.
    static let again = -Int(EAGAIN)

    @inline(__always)
    static func receive(_ socket: Int32, into chunk: borrowing ByteChunk, _ range: Range<Int>) -> Int {
        unsafe chunk.lend(range) { bytes, count in unsafe kmesh_stream_receive(socket, bytes, UInt(count)) }
    }

    /// As `receive`; the bytes stay in the socket.
    static func peek(_ socket: Int32, into chunk: borrowing ByteChunk, _ range: Range<Int>) -> Int {
        unsafe chunk.lend(range) { bytes, count in unsafe kmesh_stream_peek(socket, bytes, UInt(count)) }
    }

    @inline(__always)
    static func send(_ socket: Int32, from chunk: borrowing ByteChunk, _ range: Range<Int>) -> Int {
        unsafe chunk.lend(range) { bytes, count in unsafe kmesh_stream_send(socket, bytes, UInt(count)) }
    }

    static func accept(_ listener: Int32, _ peer: inout StreamAddress) -> Int32 {
        var address = kmesh_socket_address()
        let socket = unsafe kmesh_stream_accept(listener, &address)
        if socket >= 0 { peer = StreamAddress(address) }
        return socket
    }

    static func connect(_ target: StreamAddress) -> Int32 {
        var address = target.raw
        return unsafe kmesh_stream_connect(&address)
    }

    static func listen(_ at: StreamAddress, backlog: Int32 = 4096) -> Int32 {
        var address = at.raw
        return unsafe kmesh_stream_listen(&address, backlog)
    }

    static func localAddress(_ socket: Int32) -> StreamAddress? {
        var address = kmesh_socket_address()
        guard unsafe kmesh_stream_local_address(socket, &address) == 0 else { return nil }
        return StreamAddress(address)
    }

    static func saveSYN(_ listener: Int32) -> Int32 { kmesh_stream_save_syn(listener) }

    /// The headers of the SYN that began the connection, from the IP header on. They can be had once.
    static func savedSYN(_ socket: Int32, into chunk: borrowing ByteChunk) -> Int {
        unsafe chunk.lend(0..<chunk.capacity) { bytes, count in
            unsafe kmesh_stream_saved_syn(socket, bytes, UInt(count))
        }
    }

    /// No more bytes go to the peer; it sees the end of the stream.
    static func finishSending(_ socket: Int32) { _ = shutdown(socket, Int32(SHUT_WR)) }

    @inline(__always)
    static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    /// Another name of `descriptor`, or a negative error number.
    static func duplicate(_ descriptor: Int32) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return copy < 0 ? -errno : copy
    }

    /// Closes a descriptor whose number becomes another name of `other`.
    static func replace(_ descriptor: Int32, by other: Int32) { _ = dup2(other, descriptor) }

    /// When the socket is closed, the peer sees a reset: something is missing.
    static func resetOnClose(_ socket: Int32) { kmesh_stream_reset_on_close(socket) }

    /// Bytes that the peer has acknowledged since the connection was made.
    static func acknowledged(_ socket: Int32) -> Int { kmesh_stream_acknowledged(socket) }

    /// Moves bytes between a socket and a pipe.
    @inline(__always)
    static func splice(from: Int32, to: Int32, count: Int) -> Int { kmesh_splice(from, to, UInt(count)) }

    static func makePipe(size: Int32) -> (reading: Int32, writing: Int32, capacity: Int32)? {
        var ends: [Int32] = [-1, -1]
        let capacity = unsafe kmesh_splice_pipe(&ends, size)
        return capacity > 0 ? (ends[0], ends[1], capacity) : nil
    }

    /// Whether the process or the machine has no descriptor, or no memory for one, left.
    static func isOutOfDescriptors(_ result: Int32) -> Bool {
        result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM
    }
}

/// What the process has of the machine.
enum Machine {
    /// Microseconds of the monotonic clock.
    @inline(__always)
    static func microseconds() -> Int64 { Int64(kmesh_monotonic_microseconds()) }

    /// Raises the limit of open files to what the process may have, and returns it.
    static func raiseDescriptorLimit() -> Int { Int(kmesh_raise_descriptor_limit()) }

    /// splice, unlike send, cannot be told that a reader who is gone is no reason to end.
    static func ignoreBrokenPipes() { kmesh_ignore_broken_pipes() }

    static func processorCount() -> Int { Int(kmesh_processor_count()) }
}
