internal import Glibc

/// An error number of the kernel.
public struct Errno: Error, Hashable, Sendable {
    public let code: Int32

    public init(_ code: Int32) {
        self.code = code
    }

    public static let noEntry = Errno(ENOENT)
    public static let exists = Errno(EEXIST)
    public static let notPermitted = Errno(EPERM)
    public static let accessDenied = Errno(EACCES)
    public static let tooBig = Errno(E2BIG)
    public static let noMemory = Errno(ENOMEM)
    public static let invalid = Errno(EINVAL)
    public static let wouldBlock = Errno(EAGAIN)
    public static let interrupted = Errno(EINTR)
    public static let badDescriptor = Errno(EBADF)
    public static let busy = Errno(EBUSY)
    public static let noDevice = Errno(ENODEV)
    public static let noProcess = Errno(ESRCH)
    /// What a link was attached to is gone.
    public static let noLink = Errno(ENOLINK)
    public static let notSupported = Errno(EOPNOTSUPP)
    public static let brokenPipe = Errno(EPIPE)
    public static let messageTooLong = Errno(EMSGSIZE)
    public static let connectionRefused = Errno(ECONNREFUSED)
    public static let connectionReset = Errno(ECONNRESET)
    public static let connectionAborted = Errno(ECONNABORTED)

    /// The process or the machine has no descriptor left.
    public var isOutOfDescriptors: Bool { code == EMFILE || code == ENFILE }
}

extension Errno: CustomStringConvertible {
    public var description: String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
