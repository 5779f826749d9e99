/// Lines on standard error and standard output, each written by one call so that those of several threads
/// do not mix.
internal import Glibc

public enum StandardError {
    public static func write(_ line: String) { writeLine(line, to: STDERR_FILENO) }
}

public enum StandardOutput {
    /// The text as it stands. Whoever reads it may have gone away, which ends the writing.
    public static func write(_ text: String) { write(Array(text.utf8)) }

    /// Returns whether all of it was taken: a full disk, or a reader that has gone, takes less.
    @discardableResult public static func write(_ bytes: [UInt8]) -> Bool {
        writeBytes(bytes, to: STDOUT_FILENO)
    }
}

private func writeLine(_ line: String, to number: Int32) {
    writeBytes(Array("\(line)\n".utf8), to: number)
}

@discardableResult private func writeBytes(_ bytes: [UInt8], to number: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
        let rest = bytes[done...]
        let count = unsafe rest.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        done += count
    }
    return true
}
