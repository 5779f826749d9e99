/// The events of a worker's streams: each descriptor is added once and never changed again.
internal import CLinux
internal import Glibc
internal import KmeshKit

/// What has happened to a stream.
struct StreamEvents: OptionSet, BitwiseCopyable {
    let rawValue: UInt32

    static let input = StreamEvents(rawValue: KMESH_STREAM_INPUT)
    static let output = StreamEvents(rawValue: KMESH_STREAM_OUTPUT)
    static let error = StreamEvents(rawValue: KMESH_STREAM_ERROR)
    static let hangUp = StreamEvents(rawValue: KMESH_STREAM_HANGUP)
    /// The peer sends nothing more.
    static let peerClosed = StreamEvents(rawValue: KMESH_STREAM_PEER_CLOSED)
}

/// Which record an event is for. A slot is used again; its generation tells events of an earlier use.
struct EventToken: BitwiseCopyable, Equatable {
    var slot: Int32
    var generation: UInt32

    @inline(__always)
    init(slot: Int32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    @inline(__always)
    init(bits: UInt) {
        slot = Int32(truncatingIfNeeded: bits)
        generation = UInt32(truncatingIfNeeded: bits >> 32)
    }

    var bits: UInt { UInt(UInt32(bitPattern: slot)) | UInt(generation) << 32 }
}

@safe struct EventQueue: ~Copyable {
    private let queue: Int32
    private let events: UnsafeMutablePointer<kmesh_stream_event>
    static let capacity = Int(KMESH_EVENTS_MAX)

    /// What a queue is made of.
    static func makeDescriptor() throws(Errno) -> FileDescriptor {
        let number = kmesh_epoll_create()
        guard number >= 0 else { throw Errno(errno) }
        return FileDescriptor(owning: number)
    }

    /// The descriptor stays the caller's, open as long as the queue is used.
    init(_ descriptor: borrowing FileDescriptor) {
        queue = descriptor.number
        unsafe events = .allocate(capacity: Self.capacity)
    }

    deinit {
        unsafe events.deallocate()
    }

    /// Every change of the stream's state is one event. 0, or a negative error number.
    @inline(__always)
    func watch(_ descriptor: Int32, _ token: EventToken) -> Int32 {
        kmesh_stream_watch(queue, descriptor, token.bits)
    }

    /// Events as long as there is input.
    func watchListener(_ descriptor: Int32, _ token: EventToken) -> Int32 {
        kmesh_listener_watch(queue, descriptor, token.bits)
    }

    func unwatchListener(_ descriptor: Int32) { _ = kmesh_listener_unwatch(queue, descriptor) }

    /// How many events there are. A negative timeout, in microseconds, waits without end.
    @inline(__always)
    func wait(microseconds: Int) -> Int {
        let count = unsafe kmesh_stream_wait(queue, events, Int32(Self.capacity), microseconds)
        precondition(count >= 0, "waiting for events failed")
        return Int(count)
    }

    /// One of the last wait.
    @inline(__always)
    func event(_ index: Int) -> (token: EventToken, events: StreamEvents) {
        precondition(index >= 0 && index < Self.capacity, "no such event")
        let event = unsafe events[index]
        return (EventToken(bits: event.token), StreamEvents(rawValue: event.events))
    }
}
