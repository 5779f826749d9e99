import CKmeshABI
import KmeshTestSupport
import Testing

@testable import KmeshKit

@Suite struct ConnectionRecordTests {
    private var record: kmesh_connection_record {
        var record = kmesh_connection_record()
        record.netns_cookie = 42
        record.opened_ns = 1_000
        record.reported_ns = 5_000
        (record.sent, record.received, record.new_sent, record.new_received) = (1 << 40, 2, 3, 4)
        record.local_address.words = (0, 0, UInt32(0xffff).bigEndian, UInt32(0x0a00_0001).bigEndian)
        record.remote_address.words = (UInt32(0xfd00_0000).bigEndian, 0, 0, UInt32(9).bigEndian)
        (record.local_port, record.remote_port) = (40_000, 80)
        record.direction = UInt8(KMESH_OUTBOUND.rawValue)
        record.state = 8
        record.flags = KMESH_RECORD_CLOSED.rawValue | KMESH_CONNECTION_ESTABLISHED.rawValue
        (record.srtt_us, record.min_rtt_us, record.error) = (70, UInt32.max, 110)
        return record
    }

    @Test func everyFieldArrives() throws {
        let read = try #require(ConnectionRecord(record))
        #expect(read.namespaceCookie == 42 && read.direction == .outbound && read.duration == 4_000)
        #expect(read.local.description == "10.0.0.1:40000" && read.remote.description == "[fd00::9]:80")
        #expect(read.dialed == nil && read.sent == 1 << 40 && read.received == 2)
        #expect(read.news == ConnectionRecord.News(sent: 3, received: 4))
        #expect(read.state == .closeWait && read.smoothedRTT == 70 && read.leastRTT == 0)
        #expect(read.error == Errno(110) && read.isClosed && read.isEstablished && read.isFirst)
        #expect(!read.hasFailed)
    }

    @Test func garbageIsNoRecordOrOneWithoutHarm() {
        var random = SystemRandomNumberGenerator()
        for size in [0, 1, ConnectionRecord.size - 1, ConnectionRecord.size + 1] {
            #expect(ConnectionRecord([UInt8](repeating: 2, count: size).span) == nil)
        }
        for _ in 0..<2_000 {
            let bytes = (0..<ConnectionRecord.size).map { _ in UInt8.random(in: 0...255, using: &random) }
            guard let read = ConnectionRecord(bytes.span) else { continue }
            _ = (read.duration, read.hasFailed, read.state.name, "\(read.local)", "\(read)")
        }
        var none = record
        none.direction = 0
        #expect(ConnectionRecord(none) == nil)
    }
}
