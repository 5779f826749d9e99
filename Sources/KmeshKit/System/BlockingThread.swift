/// A thread of its own for work that waits in the kernel and must not hold a thread of the concurrency pool.
internal import Glibc

public struct BlockingThread: Sendable {
    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let thread: pthread_t

    /// `name` is cut to 15 bytes, as the kernel wants.
    public init(name: String, _ run: @escaping @Sendable () -> Void) throws(Errno) {
        var thread = pthread_t()
        let short = String(decoding: name.utf8.prefix(15), as: UTF8.self)
        let body = unsafe Unmanaged.passRetained(
            Body {
                // A name is for people who look; the thread runs without one, too.
                try? Files.write("/proc/thread-self/comm", short)
                run()
            })
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                body.run()
                return nil
            }, body.toOpaque())
        guard code == 0 else {
            unsafe body.release()
            throw Errno(code)
        }
        self.thread = thread
    }

    /// Waits for the thread's end. Each thread is joined or detached once.
    public func join() {
        pthread_join(thread, nil)
    }

    /// Lets the thread end by itself.
    public func detach() {
        pthread_detach(thread)
    }
}
