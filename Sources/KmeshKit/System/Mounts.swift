/// The mounts that this process sees, and the few kinds of mounts that the mesh makes.
internal import Glibc

public struct Mount: Hashable, Sendable {
    public let path: String
    public let kind: String

    public init(path: String, kind: String) {
        self.path = path
        self.kind = kind
    }
}

public enum Mounts {
    /// Every mount, in the kernel's order: a later one covers an earlier one with the same path.
    public static func all() throws(Errno) -> [Mount] {
        parse(try Files.readText("/proc/self/mountinfo", limit: 64 << 20))
    }

    /// Reads lines like `41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw`.
    /// A line of another form is left out.
    static func parse(_ text: String) -> [Mount] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: false)
            guard fields.count >= 10, let dash = fields[6...].firstIndex(of: "-"), dash + 1 < fields.count
            else {
                return nil
            }
            return Mount(path: unescaped(fields[4]), kind: String(fields[dash + 1]))
        }
    }

    /// A file system of its own kind at the directory `path`: `tmpfs`, `bpf`.
    public static func mount(_ kind: String, at path: String, options: String = "") throws(Errno) {
        try syscall { unsafe Glibc.mount(kind, path, kind, UInt(MS_NOSUID) | UInt(MS_NODEV), options) }
    }

    /// Mounts made below `path` from now on are not seen in other mount namespaces.
    public static func makePrivate(_ path: String) throws(Errno) {
        try syscall { unsafe Glibc.mount(nil, path, nil, UInt(MS_PRIVATE), nil) }
    }

    /// Takes the mount at `path` and all below it out of sight at once. No mount there is fine.
    public static func detach(_ path: String) throws(Errno) {
        do throws(Errno) {
            try syscall { unsafe umount2(path, Int32(MNT_DETACH)) }
        } catch {
            guard error == .invalid || error == .noEntry else { throw error }
        }
    }

    /// The kernel writes blanks and backslashes as three octal digits.
    private static func unescaped(_ field: Substring) -> String {
        guard field.contains("\\") else { return String(field) }
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
