/// Where the cgroup v2 hierarchy is mounted: at /sys/fs/cgroup on most machines, elsewhere beside version 1.
public enum CgroupMount {
    /// The mount point of the whole hierarchy as this process sees it; `nil` when there is none.
    public static func find() throws(Errno) -> String? {
        find(inMountInfo: try Files.readText("/proc/self/mountinfo", limit: 16 << 20))
    }

    /// proc(5): id, parent, device, root, mount point, options, optional fields, "-", type, source, options.
    static func find(inMountInfo text: String) -> String? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 6, let dash = fields[6...].firstIndex(of: "-"), dash + 1 < fields.count,
                fields[dash + 1] == "cgroup2", fields[3] == "/"
            else { continue }
            return unescaped(fields[4])
        }
        return nil
    }

    /// The kernel writes spaces, tabs, line ends and backslashes as three octal digits.
    private static func unescaped(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                digits.allSatisfy({ (0x30...0x37).contains($0) })
            {
                bytes.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }))
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
