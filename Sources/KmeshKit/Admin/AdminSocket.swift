/// The socket file of an admin server: made, checked for another daemon's, and removed again.
internal import Synchronization

final class AdminSocket: Sendable {
    let path: String
    private let listener: Mutex<FileDescriptor?>
    private let isRemoved = Mutex(false)
    /// Of the file that was made here, so that a later daemon's is never removed.
    private let inode: UInt64

    /// Opens the socket, in a directory that is made when it is missing. The file of a dead daemon is
    /// replaced.
    init(_ path: String, backlog: Int32) throws(AdminError) {
        do throws(Errno) {
            if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
                try Files.makeDirectories(String(path[..<slash]))
            }
        } catch {
            throw .cannotListen(path: path, errno: error)
        }
        try Self.removeStale(path)
        do throws(Errno) {
            listener = Mutex(try UnixSocket.listen(path, backlog: backlog))
            inode = try FileStatus(path: path).inode
        } catch {
            throw .cannotListen(path: path, errno: error)
        }
        self.path = path
    }

    /// The listening socket, once; whoever takes it closes it.
    func takeListener() -> FileDescriptor? { listener.withLock { $0.take() } }

    private static func removeStale(_ path: String) throws(AdminError) {
        guard let status = try? FileStatus(path: path) else { return }
        guard status.kind == .socket else { throw .notASocket(path: path) }
        do throws(Errno) {
            // Whoever listens takes a connection at once, or its queue is full (EAGAIN): both mean it lives.
            _ = try UnixSocket.connect(path, timeout: 1)
            throw Errno.wouldBlock
        } catch let error where error == .connectionRefused {
            do throws(Errno) {
                try Files.remove(path)
            } catch {
                throw .cannotListen(path: path, errno: error)
            }
        } catch let error where error == .noEntry {
            return
        } catch {
            throw .alreadyServed(path: path)
        }
    }

    /// The file's group now: an operator may have changed it.
    var groupID: UInt32? { try? FileStatus(path: path).groupID }

    deinit {
        remove()
    }

    /// Once: afterwards the inode may be that of a later daemon's socket.
    func remove() {
        let wasRemoved = isRemoved.withLock { removed in
            defer { removed = true }
            return removed
        }
        guard !wasRemoved, let status = try? FileStatus(path: path), status.inode == inode else { return }
        // Left behind, the file is replaced by the next daemon.
        try? Files.remove(path)
    }
}
