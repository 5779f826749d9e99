// Blocks of addresses, as texts and as sets.
import KmeshKit
import Testing

@Suite struct IPBlockTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3/32"),
        ("0.0.0.0/0", "0.0.0.0/0"), ("255.255.255.255/0", "0.0.0.0/0"), ("10.0.0.1/31", "10.0.0.0/31"),
        ("::/0", "::/0"), ("ffff::/0", "::/0"), ("fd00::1", "fd00::1/128"),
        ("fd00::ffff:1/112", "fd00::ffff:0/112"), ("fd00:0:0:ff::/57", "fd00:0:0:80::/57"),
        ("fd00:0:0:1:8000::/65", "fd00:0:0:1:8000::/65"), ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ("::ffff:10.1.2.3/104", "10.0.0.0/8"), ("::ffff:10.1.2.3/128", "10.1.2.3/32"),
        ("::ffff:a0a:0/112", "10.10.0.0/16"), ("::ffff:0.0.0.0/96", "0.0.0.0/0"), ("::1/64", "::/64"),
    ])
    func textsAreRead(text: String, description: String) throws {
        let read = try block(text)
        #expect(read.description == description)
        #expect(IPBlock(description) == read)
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0/8",
        "10.0.0.0/8/8", "10.0.0.0 /8", "10.0.0.0/ 8", "::/129", "fd00::/x", "::ffff:10.0.0.0/95",
        "::ffff:10.0.0.0/8",
        "::ffff:10.0.0.0/129", "web",
        "10.0.0.0/99999999999999999999",
    ])
    func mistakesAreNoBlocks(text: String) {
        #expect(IPBlock(text) == nil)
    }

    @Test func v4BlocksAreMapped() throws {
        let v4 = try block("10.0.0.0/8")
        #expect(v4.isV4 && v4.prefixLength == 104)
        let v6 = try block("fd00::/8")
        #expect(!v6.isV4 && v6.prefixLength == 8)
        #expect(try block("0.0.0.0/0").prefixLength == 96 && block("::/0").prefixLength == 0)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func containmentIsThatOfTheBits(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var inside = 0
        for _ in 0..<2000 {
            let isV4 = Bool.random(using: &random)
            let base = address(isV4, &random)
            let width = isV4 ? 32 : 128
            let length = Int.random(in: 0...width, using: &random)
            let range = try #require(IPBlock(base, prefixLength: length))
            // One that differs in one bit, so that both outcomes are frequent.
            let bit = Int.random(in: 0..<width, using: &random)
            let position = UInt64(127 - (bit + 128 - width))
            let other = IPAddress(
                high: base.high ^ (position >= 64 ? 1 << (position - 64) : 0),
                low: base.low ^ (position < 64 ? 1 << position : 0))
            #expect(range.contains(base))
            #expect(range.contains(other) == (bit >= length), "seed \(seed): \(range) \(other)")
            #expect(!range.contains(address(!isV4, &random)))
            inside += bit >= length ? 1 : 0
        }
        #expect(inside > 200 && inside < 1800, "seed \(seed)")
    }

    private func address(_ isV4: Bool, _ random: inout SplitMix64) -> IPAddress {
        isV4
            ? IPAddress(v4: UInt32.random(in: 0...UInt32.max, using: &random))
            : IPAddress(high: 0xfd00 << 48 | random.next() >> 16, low: random.next())
    }
}
