/// Signals that arrive as values instead of interrupting the program.
internal import Glibc

public enum ProcessSignal: Hashable, Sendable, CaseIterable {
    case terminate, interrupt, hangUp

    fileprivate var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .hangUp: SIGHUP
        }
    }

    /// Blocks these signals in this thread and those that it starts, so that only a stream takes them. Call it
    /// before anything else in the program.
    public static func blockAll() {
        var set = allSignals()
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Every signal that arrives from now on. A thread waits for them as long as the process lives.
    public static func stream() throws(Errno) -> AsyncStream<ProcessSignal> {
        // A burst of equal signals means no more than one.
        let (signals, arrivals) = AsyncStream.makeStream(of: ProcessSignal.self, bufferingPolicy: .bufferingNewest(16))
        try DedicatedThread.start("kmesh-signals") {
            var set = allSignals()
            while true {
                var number: Int32 = 0
                guard unsafe sigwait(&set, &number) == 0 else { continue }
                for signal in allCases where signal.number == number { arrivals.yield(signal) }
            }
        }
        return signals
    }
}

private func allSignals() -> sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in ProcessSignal.allCases { unsafe sigaddset(&set, signal.number) }
    return set
}
