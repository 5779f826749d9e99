/// Bytes that are put together for sending.
import Testing

@testable import WaypointProxy

@Suite struct ByteWriterTests {
    @Test func writesTextAndNumbers() {
        var writer = ByteWriter(capacity: 32)
        writer.append("HTTP/1.1 ")
        writer.append(decimal: 503)
        writer.append(decimal: 0)
        writer.append([UInt8(ascii: "!")])
        let written = text(writer)
        #expect(written == "HTTP/1.1 5030!")
        let hasOverflowed = writer.hasOverflowed
        #expect(!hasOverflowed)
    }

    @Test func addressesAndIdentifiersAreWhole() {
        var writer = ByteWriter(capacity: 100)
        writer.append(v4: 0)
        writer.append(v4: 0x0a63_64ff)
        writer.append(uuid: 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)
        writer.append(v4: 0xffff_ffff)
        let text = text(writer)
        #expect(text == "0.0.0.010.99.100.25501234567-89ab-cdef-fedc-ba9876543210255.255.255.255")
        var small = ByteWriter(capacity: 35)
        small.append(uuid: 1, 1)
        let (count, hasOverflowed) = (small.count, small.hasOverflowed)
        #expect(count == 0 && hasOverflowed)
    }

    @Test func whatDoesNotFitIsSaid() {
        var writer = ByteWriter(capacity: 4)
        writer.append("12345")
        writer.append("123")
        let (written, hasOverflowed) = (text(writer), writer.hasOverflowed)
        #expect(written == "123")
        #expect(hasOverflowed)
        writer.clear()
        let isClean = !writer.hasOverflowed
        #expect(isClean)
    }

    private func text(_ writer: borrowing ByteWriter) -> String {
        writer.read { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
    }
}
