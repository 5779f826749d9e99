/// Watches files and directories for changes.
internal import Glibc

public struct Inotify: ~Copyable, Sendable {
    public struct Watch: Hashable, Sendable {
        fileprivate let number: Int32
    }

    public struct Event: Sendable {
        /// `nil` when events were lost.
        public let watch: Watch?
        public let mask: UInt32
        /// The name in the watched directory; empty for the watched file itself.
        public let name: String

        public func has(_ bits: Int32) -> Bool { mask & UInt32(bitPattern: bits) != 0 }
        public func has(_ bits: UInt32) -> Bool { mask & bits != 0 }
    }

    private let file: FileDescriptor

    public init() throws(Errno) {
        file = FileDescriptor(owning: try syscall { inotify_init1(Int32(O_NONBLOCK | O_CLOEXEC)) })
    }

    public var descriptor: Int32 { file.number }

    public borrowing func add(_ path: String, mask: UInt32) throws(Errno) -> Watch {
        Watch(number: try syscall { unsafe inotify_add_watch(file.number, path, mask) })
    }

    /// Removing a watch that the kernel has ended already is fine.
    public borrowing func remove(_ watch: Watch) {
        inotify_rm_watch(file.number, watch.number)
    }

    /// What has happened since the last call, in order; does not wait.
    public borrowing func drain() throws(Errno) -> [Event] {
        var events: [Event] = []
        while true {
            do throws(Errno) {
                let bytes = try file.read(upTo: 65536)
                if bytes.isEmpty { return events }
                Self.parse(bytes, into: &events)
            } catch  where error == .wouldBlock {
                return events
            }
        }
    }

    private static func parse(_ bytes: [UInt8], into events: inout [Event]) {
        let header = MemoryLayout<inotify_event>.size
        var offset = 0
        while offset + header <= bytes.count {
            let event = unsafe bytes.withUnsafeBytes {
                unsafe $0.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
            }
            let start = offset + header
            let end = min(start + Int(event.len), bytes.count)
            let name = String(decoding: bytes[start..<end].prefix { $0 != 0 }, as: UTF8.self)
            events.append(
                Event(watch: event.wd < 0 ? nil : Watch(number: event.wd), mask: event.mask, name: name))
            offset = end
        }
    }
}
