/// A thread of its own for work that blocks or changes the thread, which Swift's pool must never see.
internal import CLinux
internal import Glibc

public enum DedicatedThread {
    /// Starts a detached thread named `name` (at most 15 characters) that runs `body` once.
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        let entry = unsafe Unmanaged.passRetained(ThreadEntry(name: name, body: body))
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, &attributes,
            { pointer in
                guard let pointer = unsafe pointer else { return nil }
                // The one reference that passRetained left behind ends here.
                let entry = unsafe Unmanaged<ThreadEntry>.fromOpaque(pointer).takeRetainedValue()
                unsafe kmesh_name_thread(entry.name)
                entry.body()
                return nil
            }, unsafe entry.toOpaque())
        guard code == 0 else {
            unsafe entry.release()
            throw Errno(code)
        }
    }

    /// Runs `work` on a fresh thread and waits for it without blocking the caller's. The thread ends
    /// afterwards, so `work` may enter a namespace or change other things that belong to a thread.
    public static func run<Value: Sendable>(
        _ name: String, _ work: @escaping @Sendable () throws(Errno) -> Value
    ) async throws(Errno) -> Value {
        let result: Result<Value, Errno> = await withCheckedContinuation { continuation in
            do throws(Errno) {
                try start(name) {
                    do throws(Errno) {
                        continuation.resume(returning: .success(try work()))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }
}

private final class ThreadEntry: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}
