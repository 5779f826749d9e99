internal import Glibc

/// Runs a call that reports failure as -1 and `errno`; `EINTR` is retried.
/// `EBADF` and `EFAULT` can only come from a fault of ours and stop the program.
@discardableResult
func syscall<Result: FixedWidthInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        // Read errno before anything else can run: retain and release may call into libc.
        let code = Glibc.errno
        switch code {
        case EINTR: continue
        case EBADF, EFAULT: preconditionFailure("a system call was given a bad descriptor or address")
        default: throw Errno(code)
        }
    }
}
