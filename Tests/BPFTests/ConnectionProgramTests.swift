import BPFLoader
import CKmeshABI
import Foundation
import KmeshTestSupport
import Testing

@testable import KmeshKit

/// The programs of `telemetry.bpf.c` with real connections, in a namespace and a cgroup of the test's own.
@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: attaches BPF programs"))
struct ConnectionProgramTests {
    /// Programs that are attached to a cgroup, and a namespace that is enrolled.
    final class Observation {
        let cgroup: String
        private let namespace: FreshNamespace
        private var ring: RingBuffer
        private let iterator: BPFIterator
        private let reasons: BPFCounters
        private let link: BPFLink

        init(ringBytes: Int? = nil, isEnrolled: Bool = true) async throws {
            namespace = try #require(try await FreshNamespace.make("ip link set lo up"))
            let mount = try #require(try Cgroup.mountPoint())
            cgroup = "\(mount)/kmesh-test-\(UInt32.random(in: 0...UInt32.max))"
            try Files.makeDirectories(cgroup)
            let object = try BPFObject(named: "telemetry")
            if let ringBytes { try object.setCapacity(of: KMESH_MAP_RECORD, to: ringBytes) }
            try object.load()
            let enrolled = try BPFMap<EnrolledKey, EnrolledValue>(
                try object.map(KMESH_MAP_ENROLLED), name: KMESH_MAP_ENROLLED)
            let identity = try await NetworkNamespaceIdentity.read(namespace.path, addressesOf: "lo").identity
            if isEnrolled {
                let key = EnrolledKey(netnsCookie: identity.cookie)
                try enrolled.upsert([MapEntry(key, EnrolledValue(address: IPAddress(v4: 1)))])
            }
            ring = try RingBuffer(try object.map(KMESH_MAP_RECORD), name: KMESH_MAP_RECORD)
            iterator = try BPFIterator(
                program: try object.program("kmesh_report"), over: try object.map(KMESH_MAP_CONNECTION),
                name: "kmesh_report")
            reasons = try BPFCounters(try object.map(KMESH_MAP_REASON), name: KMESH_MAP_REASON)
            link = try BPFLink.attach(
                program: try object.program("kmesh_telemetry"), to: try FileDescriptor.open(cgroup),
                hook: .sockops)
        }

        /// The cgroup is empty when its programs have ended.
        deinit { try? Files.removeDirectory(cgroup) }

        /// Starts a Python program there, which has `sockets()`: a listener's and a client's end.
        func start(_ program: String) throws -> (process: Process, input: Pipe, output: Pipe) {
            let prelude = """
                import errno, socket, struct, sys
                listener = socket.create_server(("127.0.0.1", 7000))
                def sockets():
                    client = socket.create_connection(("127.0.0.1", 7000))
                    return client, listener.accept()[0]

                """
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = [
                "-c",
                "echo $$ > \(cgroup)/cgroup.procs; exec nsenter --net=\(namespace.path) python3 -c \"$0\"",
                prelude + program,
            ]
            let (input, output) = (Pipe(), Pipe())
            process.standardInput = input
            process.standardOutput = output
            try process.run()
            return (process, input, output)
        }

        func run(_ program: String) throws {
            let (process, _, _) = try start(program)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }

        func closed() -> [ConnectionRecord] {
            var records: [ConnectionRecord] = []
            _ = ring.drain(limit: 10_000) { if let record = ConnectionRecord($0) { records.append(record) } }
            return records
        }

        func open() throws -> [ConnectionRecord] {
            var records: [ConnectionRecord] = []
            try iterator.walk(recordSize: ConnectionRecord.size) {
                if let record = ConnectionRecord($0) { records.append(record) }
            }
            return records
        }

        var lost: UInt64 {
            get throws { try reasons.value(of: VerdictReason.recordLost.rawValue) }
        }
    }

    @Test func bothEndsOfAConnectionAreReportedOnce() async throws {
        let observation = try await Observation()
        try observation.run(
            """
            client, server = sockets()
            client.sendall(b"x" * 3)
            server.recv(3)
            server.sendall(b"y" * 70000)
            left = 70000
            while left: left -= len(client.recv(left))
            client.close()
            server.close()
            """)
        let records = observation.closed()
        #expect(records.count == 2, "\(records)")
        let client = try #require(records.first { $0.direction == .outbound })
        let server = try #require(records.first { $0.direction == .inbound })
        #expect(client.sent == 3 && client.received == 70_000, "\(client)")
        #expect(server.sent == 70_000 && server.received == 3, "\(server)")
        #expect(client.remote.description == "127.0.0.1:7000" && client.local == server.remote)
        #expect(records.allSatisfy { $0.isClosed && $0.isEstablished && $0.isFirst && $0.dialed == nil })
        #expect(records.allSatisfy { $0.news.sent == $0.sent && $0.news.received == $0.received })
        #expect(records.allSatisfy { $0.duration > 0 && $0.smoothedRTT > 0 })
        #expect(try observation.open().isEmpty)
    }

    @Test func attemptsThatFailAndConnectionsThatAreCutOff() async throws {
        let observation = try await Observation()
        try observation.run(
            """
            for _ in range(2):
                with socket.socket() as refused:
                    assert refused.connect_ex(("127.0.0.1", 7001)) == errno.ECONNREFUSED
            client, server = sockets()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"x" * 10)
            client.close()
            server.close()
            """)
        let records = observation.closed()
        let failed = records.filter(\.hasFailed)
        #expect(failed.count == 2 && failed.allSatisfy { $0.direction == .outbound }, "\(records)")
        #expect(failed.allSatisfy { $0.remote.port == 7001 && $0.sent == 0 })
        let cut = records.filter { !$0.hasFailed }
        #expect(cut.count == 2 && Set(cut.map(\.direction)) == [.inbound, .outbound], "\(records)")
        #expect(cut.first { $0.direction == .outbound }?.sent == 10, "\(cut)")
        #expect(cut.first { $0.direction == .inbound }?.received == 10, "\(cut)")
    }

    @Test func aWalkTellsWhatCameSinceTheOneBefore() async throws {
        let observation = try await Observation()
        let (process, input, output) = try observation.start(
            """
            client, server = sockets()
            for line in sys.stdin:
                client.sendall(b"x" * int(line))
                left = int(line)
                while left: left -= len(server.recv(left))
                print("done\\n", end="", flush=True)
            client.close()
            server.close()
            """)
        func send(_ count: Int) throws {
            try input.fileHandleForWriting.write(contentsOf: Data("\(count)\n".utf8))
            #expect(!output.fileHandleForReading.availableData.isEmpty)
        }
        func outbound() throws -> ConnectionRecord {
            let records = try observation.open()
            #expect(records.count == 2 && records.allSatisfy { !$0.isClosed && $0.state == .established })
            return try #require(records.first { $0.direction == .outbound })
        }
        try send(100)
        let first = try outbound()
        #expect(first.sent == 100 && first.news.sent == 100 && first.isFirst)
        try send(5)
        let second = try outbound()
        #expect(second.sent == 105 && second.news.sent == 5 && !second.isFirst)
        #expect(try outbound().news.sent == 0)
        try send(7)
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        let end = try #require(observation.closed().first { $0.direction == .outbound })
        #expect(end.sent == 112 && end.news.sent == 7 && !end.isFirst && end.isClosed)
        #expect(try observation.open().isEmpty)
    }

    @Test func aFullRingLosesRecordsAndSaysHowMany() async throws {
        let observation = try await Observation(ringBytes: 4096)
        try observation.run("for _ in range(100): [end.close() for end in sockets()]")
        let read = observation.closed().count
        #expect(read > 20 && read < 30)
        #expect(try observation.lost == UInt64(200 - read))
        try observation.run("for _ in range(5): [end.close() for end in sockets()]")
        #expect(observation.closed().count == 10, "there is room again")
    }

    @Test func whoIsNotEnrolledIsNotObserved() async throws {
        let observation = try await Observation(isEnrolled: false)
        try observation.run("for _ in range(5): [end.close() for end in sockets()]")
        #expect(observation.closed().isEmpty)
        #expect(try observation.lost == 0)
    }
}
