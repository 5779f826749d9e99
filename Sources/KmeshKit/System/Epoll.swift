/// Waits for many descriptors at once.
internal import CLinux
internal import Glibc

public struct Epoll: ~Copyable, Sendable {
    public struct Interest: OptionSet, Sendable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        public static let input = Interest(rawValue: UInt32(KMESH_EVENT_INPUT))
        public static let output = Interest(rawValue: UInt32(KMESH_EVENT_OUTPUT))
    }

    public struct Event: Sendable {
        public let descriptor: Int32
        /// The end of a stream and errors count as both; the next call on the descriptor reports them.
        public let ready: Interest
    }

    private let queue: FileDescriptor
    private var events: [kmesh_event]

    public init() throws(Errno) {
        queue = FileDescriptor(owning: try syscall { kmesh_epoll_create() })
        events = [kmesh_event](repeating: kmesh_event(), count: Int(KMESH_EVENTS_MAX))
    }

    /// Until the descriptor is closed.
    public func add(_ descriptor: Int32, _ interest: Interest) throws(Errno) {
        let queue = queue.number
        try syscall { kmesh_epoll_add(queue, descriptor, interest.rawValue) }
    }

    public func change(_ descriptor: Int32, _ interest: Interest) throws(Errno) {
        let queue = queue.number
        try syscall { kmesh_epoll_change(queue, descriptor, interest.rawValue) }
    }

    /// Waits until something happens. How many events there are. -1 waits without end.
    public mutating func wait(milliseconds: Int32 = -1) throws(Errno) -> Int {
        let queue = queue.number
        return Int(try syscall { unsafe kmesh_epoll_wait(queue, &events, milliseconds) })
    }

    /// One of the events of the last wait.
    public func event(_ index: Int) -> Event {
        Event(descriptor: events[index].descriptor, ready: Interest(rawValue: events[index].events))
    }
}
