internal import KmeshKit
internal import Synchronization

/// Writes lines to standard output on a thread of its own: a slow reader holds up nobody. What does not fit
/// into the memory for it, or cannot be written, is dropped and counted.
final class LineWriter: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var lines = 0
        var dropped: UInt64 = 0
        var isEnding = false
        var hasEnded = false
    }

    /// Bytes: at 200 bytes a line, those of two seconds with 20,000 lines each.
    private static let limit = 8 << 20

    private let state = Mutex(State())
    private let wakeup: WakeDescriptor
    private let sink: Sink

    /// Returns whether all of it was taken.
    typealias Sink = @Sendable ([UInt8]) -> Bool

    init(to sink: @escaping Sink = StandardOutput.write) throws(Errno) {
        self.sink = sink
        wakeup = try WakeDescriptor()
        try DedicatedThread.start("kmesh-accesslog") { self.run() }
    }

    /// Whole lines.
    func write(_ bytes: [UInt8], lines: Int) {
        let isFirst = state.withLock { state in
            guard state.bytes.count + bytes.count <= Self.limit else {
                state.dropped += UInt64(lines)
                return false
            }
            defer {
                state.bytes += bytes
                state.lines += lines
            }
            return state.bytes.isEmpty
        }
        if isFirst { wakeup.wake() }
    }

    /// Lines that were dropped.
    var dropped: UInt64 { state.withLock { $0.dropped } }

    /// What waits is still written, as far as its reader takes it within two seconds.
    func end() async {
        state.withLock { $0.isEnding = true }
        wakeup.wake()
        for _ in 0..<100 where !state.withLock({ $0.hasEnded }) {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func run() {
        while true {
            _ = try? Poll.readable([wakeup.descriptor], timeout: .seconds(1))
            wakeup.drain()
            let (bytes, lines, isEnding) = state.withLock { state in
                defer { (state.bytes, state.lines) = ([], 0) }
                return (state.bytes, state.lines, state.isEnding)
            }
            if !bytes.isEmpty, !sink(bytes) { state.withLock { $0.dropped += UInt64(lines) } }
            if isEnding {
                state.withLock { $0.hasEnded = true }
                return
            }
        }
    }
}
