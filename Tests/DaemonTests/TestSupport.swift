// What the daemon's tests share: a directory that goes away, namespaces, and a daemon that runs for a while.
import Foundation
import KmeshDaemon
import KmeshKit
import KmeshTestSupport
import Testing

/// A daemon with a fake engine, at paths of its own.
struct TestDaemon {
    let directory: TemporaryDirectory
    let engine = FakeEngine()
    let authorizer = FakeAuthorizer()
    let source: FakeSource
    var options: DaemonOptions
    var loggers = Loggers()
    var telemetry: (any TelemetrySwitches)?
    let signals: AsyncStream<ProcessSignal>
    let send: AsyncStream<ProcessSignal>.Continuation

    init(in directory: TemporaryDirectory? = nil, source: FakeSource = FakeSource()) throws {
        let directory = try directory ?? TemporaryDirectory()
        self.directory = directory
        self.source = source
        options = DaemonOptions(
            engine: EngineOptions(nodeName: "node-1", cgroupPath: "/sys/fs/cgroup"),
            source: .meshFile(source.name), adminSocket: "\(directory.path)/kmesh.sock",
            stateDirectory: directory.path)
        options.statusAddress = SocketAddress("127.0.0.1:0")
        (signals, send) = AsyncStream.makeStream()
    }

    /// Runs until a signal that the test has sent.
    func run() async throws(DaemonError) {
        let daemon = Daemon(
            options, engine: engine, authorization: authorizer, source: source, loggers: loggers,
            telemetry: telemetry)
        try await daemon.run(signals: signals)
    }

    /// Runs `body` beside the daemon, once it answers, and ends the daemon with SIGTERM.
    func whileRunning(_ body: @Sendable (TestDaemon) async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.run() }
            do {
                // Also waits for the start: the socket is there before the daemon answers.
                _ = try await status()
                try await body(self)
            } catch {
                Issue.record("\(error)")
            }
            send.yield(.terminate)
            try await group.waitForAll()
        }
    }

    func ask(_ request: AdminRequest) async throws -> AdminResponse {
        let client = AdminClient(path: options.adminSocket, timeout: 20)
        // On a thread of its own: it blocks, and the daemon needs the pool.
        return try await DedicatedThread.run("test-client") {
            do throws(AdminError) {
                return Result<AdminResponse, AdminError>.success(try client.ask(request).response)
            } catch {
                return .failure(error)
            }
        }.get()
    }

    func status() async throws -> DaemonStatus {
        for _ in 0..<200 {
            do {
                if case .status(let status) = try await ask(.status) { return status }
            } catch AdminError.notRunning {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        throw AdminError.notRunning(path: options.adminSocket)
    }

    /// Waits at most 5 s until the status is as wanted.
    func eventually(_ condition: (DaemonStatus) -> Bool) async throws -> Bool {
        for _ in 0..<500 {
            if condition(try await status()) { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}
