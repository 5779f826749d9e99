/// Says when a file may have changed, as the kernel tells it.
internal import Glibc
internal import KmeshKit
internal import Synchronization

/// Watches the directory of a file, and that of what a symbolic link there leads to, on a thread of its own.
final class EnvoyFileWatch: Sendable {
    /// How long changes are gathered, and how long a file that was moved away may take to come back.
    private static let debounce = Duration.milliseconds(2)
    private static let grace = Duration.milliseconds(20)
    /// How often a directory is looked for that is not there, and a file is read again that somebody writes.
    private static let pause = Duration.milliseconds(200)

    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF
            | IN_ONLYDIR)

    private let path: String
    private let inotify: Inotify
    private let wake: WakeDescriptor
    private let state = Mutex((isClosed: false, wantsAgain: false))
    /// Several signals that nobody has taken are one.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    private init(_ path: String) throws(Errno) {
        self.path = path
        inotify = try Inotify()
        wake = try WakeDescriptor()
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Begins to watch. The directory need not be there yet.
    static func start(_ path: String) throws(Errno) -> EnvoyFileWatch {
        let watch = try EnvoyFileWatch(path)
        try DedicatedThread.start("envoy-file") { watch.run() }
        return watch
    }

    /// Signals at once.
    func signalNow() { signal.yield() }

    /// Signals after a while: somebody writes to the file.
    func signalLater() {
        state.withLock { $0.wantsAgain = true }
        wake.wake()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        signal.finish()
        wake.wake()
    }

    // MARK: The thread

    private var directory: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private func run() {
        let clock = ContinuousClock()
        var places: [Inotify.Watch: Set<String>] = [:]
        var due: ContinuousClock.Instant?
        // Whether the directory is not there, and whether to look again at what to watch.
        var isLost = true
        var isStale = true
        while true {
            let wishes = state.withLock { state in
                defer { state.wantsAgain = false }
                return state
            }
            if wishes.isClosed { return }
            if wishes.wantsAgain { due = min(due ?? .now + Self.pause, .now + Self.pause) }
            if isLost || isStale {
                let isFound = watch(&places)
                if isLost, isFound { due = .now }
                (isLost, isStale) = (!isFound, false)
            }
            if let time = due, time <= clock.now {
                due = nil
                signal.yield()
            }
            let timeout = due.map { $0 - clock.now } ?? (isLost ? Self.pause : nil)
            _ = try? Poll.readable([inotify.descriptor, wake.descriptor], timeout: timeout)
            wake.drain()
            for event in (try? inotify.drain()) ?? [] {
                guard let delay = delay(of: event, places) else { continue }
                due = min(due ?? .now + delay, .now + delay)
                // A link may lead elsewhere now, and a directory may be gone.
                isStale = true
            }
        }
    }

    /// How long to wait for more, when the event concerns the file.
    private func delay(of event: Inotify.Event, _ places: [Inotify.Watch: Set<String>]) -> Duration? {
        guard let watch = event.watch else { return Self.debounce }
        guard let names = places[watch] else { return nil }
        if event.has(IN_IGNORED) || event.has(IN_DELETE_SELF) || event.has(IN_MOVE_SELF) { return Self.grace }
        guard names.contains(event.name) || event.name == "..data" else { return nil }
        return event.has(IN_MOVED_FROM) || event.has(IN_DELETE) ? Self.grace : Self.debounce
    }

    /// Watches what is to be watched now, and nothing else. Returns whether the directory is there.
    private func watch(_ places: inout [Inotify.Watch: Set<String>]) -> Bool {
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        var wanted: [Inotify.Watch: Set<String>] = [:]
        guard let main = try? inotify.add(directory, mask: Self.mask) else { return false }
        wanted[main, default: []].insert(name)
        if let real = try? Files.realPath(path), let slash = real.lastIndex(of: "/"),
            let target = try? inotify.add(String(real[..<slash]) + "/", mask: Self.mask)
        {
            wanted[target, default: []].insert(String(real[real.index(after: slash)...]))
        }
        for old in places.keys where wanted[old] == nil { inotify.remove(old) }
        places = wanted
        return true
    }
}
