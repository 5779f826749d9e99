/// What the process takes of the machine, from /proc.

package struct ProcessUse: Sendable, Equatable {
    /// Seconds, of user and kernel together.
    package var processorSeconds = 0.0
    /// Bytes.
    package var residentMemory: UInt64 = 0
    package var virtualMemory: UInt64 = 0
    package var openDescriptors: UInt64 = 0

    /// What cannot be read is 0.
    package static func now() -> ProcessUse {
        var use = ProcessUse()
        // proc(5): counted from the name's closing parenthesis; times are in hundredths of a second.
        if let stat = try? Files.readText("/proc/self/stat"), let name = stat.lastIndex(of: ")") {
            let fields = stat[name...].split(separator: " ")
            if fields.count > 13, let user = UInt64(fields[12]), let kernel = UInt64(fields[13]) {
                use.processorSeconds = Double(user + kernel) / 100
            }
        }
        if let status = try? Files.readText("/proc/self/status") {
            use.residentMemory = kibibytes("VmRSS:", in: status) << 10
            use.virtualMemory = kibibytes("VmSize:", in: status) << 10
        }
        // The listing itself holds one.
        use.openDescriptors = UInt64(max(0, ((try? Files.list("/proc/self/fd").count) ?? 1) - 1))
        return use
    }

    private static func kibibytes(_ name: String, in status: String) -> UInt64 {
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            return line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }
                ?? line.split(separator: "\t").dropFirst().first
                .flatMap { $0.split(separator: " ").first }.flatMap { UInt64($0) } ?? 0
        }
        return 0
    }
}
