/// Signals that arrive as values instead of interrupting the program.
internal import CLinux
internal import Glibc

public enum ProcessSignal: Hashable, Sendable, CaseIterable {
    case terminate, interrupt, hangUp
    /// SIGUSR1: open log files anew.
    case reopenLogs

    fileprivate var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .hangUp: SIGHUP
        case .reopenLogs: SIGUSR1
        }
    }

    /// Those of `wanted` that arrive from now on. A thread waits for them as long as the process lives.
    public static func stream(
        _ wanted: [ProcessSignal] = [.terminate, .interrupt, .hangUp]
    ) throws(Errno) -> AsyncStream<ProcessSignal> {
        let numbers = wanted.map(\.number)
        let pipe = SharedDescriptor(
            FileDescriptor(owning: try syscall { unsafe kmesh_signal_pipe(numbers, Int32(numbers.count)) }))
        // A burst of equal signals means no more than one.
        let (signals, arrivals) = AsyncStream.makeStream(
            of: ProcessSignal.self, bufferingPolicy: .bufferingNewest(16))
        try DedicatedThread.start("kmesh-signals") {
            // All other threads may block them: those of Swift's pool do, and a parent's mask is inherited.
            unsafe kmesh_receive_signals(numbers, Int32(numbers.count))
            while let bytes = try? pipe.file.read(upTo: 64), !bytes.isEmpty {
                for byte in bytes {
                    for signal in wanted where signal.number == Int32(byte) { arrivals.yield(signal) }
                }
            }
        }
        return signals
    }
}
