/// Messages with open files between two processes of one user.
internal import CLinux
internal import Glibc

/// One end of such a conversation.
public struct HandoverSocket: ~Copyable, Sendable {
    public struct Message: Sendable {
        public var text: String
        /// The receiver closes them.
        public var descriptors: [Int32]
    }

    /// How many files one message holds.
    public static var descriptorLimit: Int { Int(KMESH_HANDOVER_MAX) }

    private let socket: FileDescriptor

    /// Each message fails with `EAGAIN` after `timeout` seconds. `ENOENT`, `ECONNREFUSED`: nobody is there.
    public static func connect(_ path: String, timeout: Int) throws(Errno) -> HandoverSocket {
        HandoverSocket(socket: try UnixSocket.connect(path, timeout: timeout, kind: .messages))
    }

    private init(socket: consuming FileDescriptor) { self.socket = socket }

    public func send(_ text: String, _ descriptors: [Int32] = []) throws(Errno) {
        let number = socket.number
        let bytes = Array(text.utf8)
        try syscall {
            unsafe kmesh_send_descriptors(
                number, bytes, UInt(bytes.count), descriptors, Int32(descriptors.count))
        }
    }

    /// `nil` when the other end is closed.
    public func receive() throws(Errno) -> Message? {
        let number = socket.number
        var bytes = [UInt8](repeating: 0, count: 4096)
        var descriptors = [Int32](repeating: -1, count: Self.descriptorLimit)
        var count: Int32 = 0
        let size = try syscall {
            unsafe kmesh_receive_descriptors(number, &bytes, UInt(bytes.count), &descriptors, &count)
        }
        if size == 0 { return nil }
        return Message(
            text: String(decoding: bytes[..<Int(size)], as: UTF8.self),
            descriptors: Array(descriptors[..<Int(count)]))
    }

    /// The listening end at a path.
    public struct Listener: ~Copyable, Sendable {
        private let socket: FileDescriptor
        public let path: String
        private let inode: UInt64

        /// Takes the place of what was at `path`. Only the same user may connect.
        public static func open(_ path: String) throws(Errno) -> Listener {
            // Bound beside and renamed: at no moment is nobody there.
            let temporary = "\(path).\(ProcessIdentity.pid)"
            try Files.remove(temporary)
            let socket = try UnixSocket.listen(temporary, backlog: 4, kind: .messages, mode: 0o600)
            var status = stat()
            try syscall { unsafe lstat(temporary, &status) }
            try Files.move(temporary, to: path)
            return Listener(socket: socket, path: path, inode: UInt64(status.st_ino))
        }

        public var descriptor: Int32 { socket.number }

        /// `EAGAIN` when nobody waits, `EPERM` when it is another user's process.
        public func accept(timeout: Int) throws(Errno) -> HandoverSocket {
            let connection = try UnixSocket.accept(socket)
            guard try PeerCredentials.of(connection).userID == getuid() else { throw .notPermitted }
            let number = connection.number
            let flags = try syscall { fcntl(number, F_GETFL) }
            try syscall { fcntl(number, F_SETFL, flags & ~O_NONBLOCK) }
            try UnixSocket.limit(connection, timeout)
            return HandoverSocket(socket: connection)
        }

        /// Removes the file, unless a successor's is there by now.
        public func remove() {
            var status = stat()
            guard unsafe lstat(path, &status) == 0, UInt64(status.st_ino) == inode else { return }
            try? Files.remove(path)
        }
    }
}

/// Closes descriptors that nobody owns.
public func closeDescriptors(_ numbers: [Int32]) {
    for number in numbers where number >= 0 { close(number) }
}
