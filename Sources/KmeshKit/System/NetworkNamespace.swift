/// A network namespace that is kept by a file, such as `/run/netns/blue` or `/proc/<pid>/ns/net`.
internal import CLinux
internal import Glibc

public struct NetworkNamespace: ~Copyable, Sendable {
    /// For messages.
    public let path: String
    private let file: FileDescriptor

    /// `EINVAL` when the path is not a network namespace shows at the first use.
    public init(path: String) throws(Errno) {
        file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
        self.path = path
    }

    /// Makes a namespace and keeps it by a mount on the new file `path`. `EEXIST` when the file is there.
    public static func create(at path: String) throws(Errno) {
        _ = try FileDescriptor.open(path, O_RDONLY | O_CREAT | O_EXCL, mode: 0o444)
        do throws(Errno) {
            try syscall { unsafe kmesh_netns_create(path) }
        } catch {
            try Files.remove(path)
            throw error
        }
    }

    /// Takes the file away. The namespace ends with its last process. One that is not there is fine.
    public static func remove(at path: String) throws(Errno) {
        try Mounts.detach(path)
        try Files.remove(path)
    }

    /// A socket of this namespace; the calling thread stays where it is.
    public func socket(
        _ domain: Int32, _ type: Int32, _ number: Int32 = 0
    ) throws(Errno) -> FileDescriptor {
        let namespace = file.number
        return FileDescriptor(owning: try syscall { kmesh_netns_socket(namespace, domain, type, number) })
    }

    /// Sets what this namespace sees below `/proc/sys/net`, such as `ipv4/ip_forward`.
    public func set(_ name: String, to value: String) throws(Errno) {
        let namespace = file.number
        let setting = FileDescriptor(
            owning: try syscall { unsafe kmesh_netns_open(namespace, "/proc/sys/net/\(name)", O_WRONLY) })
        try setting.write(Array(value.utf8))
    }

    var descriptor: Int32 { file.number }
}
