import BPFLoader
import CLinux
import Glibc
import KmeshTestSupport
import Synchronization
import Testing

@testable import KmeshKit

/// Records of programs as the reader sees them.
@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: loads BPF programs"))
struct RingBufferTests {
    /// The programs of `ring_test.bpf.c` and their ring of 4096 bytes.
    struct Writer: Sendable {
        let map: SharedDescriptor
        private let write: SharedDescriptor
        private let discard: SharedDescriptor

        init() throws {
            let object = try testObject("ring_test")
            try object.load()
            map = SharedDescriptor(try object.map("test_ring"))
            write = SharedDescriptor(try object.program("write_record"))
            discard = SharedDescriptor(try object.program("discard_record"))
        }

        /// Whether there was room.
        func write(_ record: [UInt8]) throws -> Bool {
            try BPFProgram(try write.file.duplicate()).run(packet: record).result == 2
        }

        func discardRecord() throws -> Bool {
            try BPFProgram(try discard.file.duplicate())
                .run(packet: [UInt8](repeating: 0, count: 64)).result == 2
        }

        func ring() throws -> RingBuffer { try RingBuffer(try map.file.duplicate(), name: "test_ring") }
    }

    /// A record that tells its number, of a size that is rarely a multiple of 8.
    private func record(_ number: Int, size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: number &* 31 &+ $0) }
    }

    private func drain(_ ring: inout RingBuffer, limit: Int) -> (count: Int, records: [[UInt8]]) {
        var records: [[UInt8]] = []
        let count = ring.drain(limit: limit) { span in records.append(span.indices.map { span[$0] }) }
        return (count, records)
    }

    @Test func recordsOfOddSizesSurviveManyRoundsOfTheRing() throws {
        let writer = try Writer()
        var ring = try writer.ring()
        var generator = SplitMix64(seed: 0x6b6d_6573_6800_0007)
        var waiting: [[UInt8]] = []
        var full = 0, total = 0
        for number in 0..<3000 {
            // The smallest packet of a test run has a header of 14 bytes.
            let next = record(number, size: Int.random(in: 14...501, using: &generator))
            if try !writer.write(next) {
                full += 1
                #expect(waiting.count > 0, "only a ring that nobody read is full")
            } else {
                waiting.append(next)
            }
            if full > 0 || Int.random(in: 0..<4, using: &generator) == 0 {
                full = 0
                let limit = Int.random(in: 1...12, using: &generator)
                let (count, read) = drain(&ring, limit: limit)
                #expect(count == min(limit, waiting.count) && read == Array(waiting.prefix(count)))
                waiting.removeFirst(count)
                total += read.reduce(0) { $0 + $1.count }
            }
        }
        #expect(total > 100 * 4096, "the ring went round: \(total)")
    }

    @Test func whatWasGivenUpIsNotDelivered() throws {
        let writer = try Writer()
        var ring = try writer.ring()
        #expect(try writer.discardRecord() && writer.write(record(1, size: 15)) && writer.discardRecord())
        let (count, read) = drain(&ring, limit: 2)
        #expect(count == 2 && read == [record(1, size: 15)])
        let (rest, none) = drain(&ring, limit: 9)
        #expect(rest == 1 && none.isEmpty)
        #expect(drain(&ring, limit: 9).count == 0)
    }

    @Test func theNextReaderGoesOn() throws {
        let writer = try Writer()
        for number in 0..<4 { #expect(try writer.write(record(number, size: 21))) }
        var read: [[UInt8]] = []
        for limit in [3, 9] {
            var ring = try writer.ring()
            read += drain(&ring, limit: limit).records
        }
        #expect(read == (0..<4).map { record($0, size: 21) })
    }

    @Test func aRecordIsReadAsAStruct() throws {
        struct Record: BitwiseCopyable {
            var number: UInt64
            var words: (UInt32, UInt32)
        }
        let bytes = nativeBytes(UInt64(7)) + nativeBytes(UInt32(8)) + nativeBytes(UInt32(9))
        let fewer = Array(bytes.dropLast())
        let (read, short) = (bytes.span.record(as: Record.self), fewer.span.record(as: Record.self))
        #expect(read?.number == 7 && read?.words.0 == 8 && read?.words.1 == 9)
        #expect(short == nil)
    }

    @Test func anotherMapIsRefused() throws {
        let number = kmesh_bpf_map_create(BPF_MAP_TYPE_ARRAY.rawValue, 4, 4, 4096, 0)
        let error = #expect(throws: BPFError.self) {
            _ = try RingBuffer(FileDescriptor(owning: number), name: "test")
        }
        #expect("\(error!)".hasPrefix("cannot read the map test: it is no ring buffer"))
    }

    /// Programs on another CPU finish their records in any order; here a file plays the kernel.
    @Test func anUnfinishedRecordHoldsUpThoseBehindIt() throws {
        let (page, size) = (sysconf(Int32(_SC_PAGESIZE)), 4096)
        let directory = try TemporaryDirectory()
        let file = try FileDescriptor.open("\(directory.path)/ring", O_RDWR | O_CREAT, mode: 0o600)
        #expect(ftruncate(file.number, page * 2 + size * 2) == 0)
        func put(_ bytes: [UInt8], at offset: Int) {
            #expect(unsafe pwrite(file.number, bytes, bytes.count, offset) == bytes.count)
        }
        put(nativeBytes(UInt64(48)), at: page)
        put(nativeBytes(UInt32(5)), at: page * 2)
        put(nativeBytes(UInt32(3 | 1 << 31)), at: page * 2 + 16)
        put(nativeBytes(UInt32(8)), at: page * 2 + 32)
        var ring = try RingBuffer(try file.duplicate(), name: "ring", size: size)
        #expect(drain(&ring, limit: 9).records.map(\.count) == [5])
        put(nativeBytes(UInt32(3)), at: page * 2 + 16)
        #expect(drain(&ring, limit: 9).records.map(\.count) == [3, 8])
        // A header that cannot be leads no further than what was written.
        put(nativeBytes(UInt64(80)), at: page)
        put(nativeBytes(UInt32(1 << 29)), at: page * 2 + 48)
        #expect(drain(&ring, limit: 9).records.map(\.count) == [24])
        #expect(drain(&ring, limit: 9).count == 0)
        // Positions that are none.
        for position: UInt64 in [4, 200] {
            put(nativeBytes(position), at: 0)
            #expect(throws: Errno.invalid) {
                _ = try RingBuffer(try file.duplicate(), name: "ring", size: size)
            }
        }
    }

    @Test func aReaderDeliversEachRecordUntilItEnds() async throws {
        let writer = try Writer()
        let read = Mutex<[[UInt8]]>([])
        let reader = try RingBufferReader(try writer.map.file.duplicate(), name: "test_ring") { record in
            read.withLock { $0.append(record.indices.map { record[$0] }) }
        }
        var written: [[UInt8]] = []
        for number in 0..<5000 {
            let next = record(number, size: 14 + number % 90)
            while try !writer.write(next) { try await Task.sleep(for: .milliseconds(1)) }
            written.append(next)
        }
        for _ in 0..<500 where read.withLock({ $0.count }) < written.count {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(read.withLock { $0 } == written)
        await reader.end()
        #expect(try writer.write(record(1, size: 20)))
        try await Task.sleep(for: .milliseconds(50))
        #expect(read.withLock { $0.count } == 5000)
        // And the next reader finds it.
        var ring = try writer.ring()
        #expect(drain(&ring, limit: 9).records == [record(1, size: 20)])
    }
}
