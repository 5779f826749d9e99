import CKmeshABI
import KernelNativeEngine
import KmeshKit
import KmeshTestSupport
import Testing

/// The words that Swift writes to the kernel-native maps are the bytes of the C structs, field by field.
@Suite struct NativeLayoutTests {
    private let address = CLayout.address, cAddress = CLayout.cAddress

    private func expect<Entry: MapWords, CEntry>(
        _ entry: Entry, is cEntry: CEntry, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(Entry.byteCount == MemoryLayout<CEntry>.size, sourceLocation: sourceLocation)
        let cWords = CLayout.words(of: cEntry).prefix(Entry.wordCount)
        #expect(entry.words == Array(cWords), sourceLocation: sourceLocation)
        #expect(Entry(words: cWords) == entry, sourceLocation: sourceLocation)
    }

    @Test func listeners() {
        var value = ListenerValue()
        (value.action, value.target, value.chainsID, value.chainCount) = (1, 2, 3, 4)
        (value.serviceID, value.readTimeout, value.idleTimeout) = (5, 6, 7)
        expect(
            value,
            is: kmesh_listener(
                action: 1, target: 2, chains_id: 3, chain_count: 4, service_id: 5, read_ms: 6, idle_ms: 7,
                seal: 0))
        #expect(ListenerValue.isSealed && MemoryLayout.offset(of: \kmesh_listener.seal) == 28)
    }

    @Test func filterChains() {
        expect(ChainKey(chainsID: 1, index: 2), is: kmesh_chain_key(chains_id: 1, index: 2))
        expect(
            ChainValue(source: address, sourceBits: 104, destinationPort: 0x1122, action: 0x3344, target: 9),
            is: kmesh_chain(
                source: cAddress, source_bits: 104, destination_port: 0x1122, action: 0x3344, target: 9))
    }

    @Test func searches() {
        expect(NativeIDKey(7), is: kmesh_route_table_key(table_id: 7))
        expect(NativeIDKey(7), is: kmesh_host_key(host_id: 7))
        expect(NativeIDKey(7), is: kmesh_text_key(number: 7))
        let probes = [Probe(.host, length: -12), Probe(.pathAnyCase, length: 0x1234)]
        var table = kmesh_route_table()
        (table.any_host, table.probe_count) = (5, 2)
        table.probes.0 = kmesh_probe(kind: UInt16(KMESH_PROBE_HOST.rawValue), length: -12)
        table.probes.1 = kmesh_probe(kind: UInt16(KMESH_PROBE_PATH_ANY_CASE.rawValue), length: 0x1234)
        expect(SearchValue(other: 5, probes: probes), is: table)
        var host = kmesh_virtual_host()
        (host.any_route, host.probe_count) = (5, 2)
        (host.probes.0, host.probes.1) = (table.probes.0, table.probes.1)
        expect(SearchValue(other: 5, probes: probes), is: host)
        let full = SearchValue(
            other: 1, probes: Array(repeating: Probe(.path, length: -1), count: Int(KMESH_PROBES_MAX)))
        #expect(SearchValue(words: full.words[...]) == full)
        #expect(Probe(.authority).kind == UInt16(KMESH_PROBE_AUTHORITY.rawValue))
    }

    @Test func whatIsFound() {
        let probe = kmesh_probe(kind: UInt16(KMESH_PROBE_PATH.rawValue), length: -2)
        expect(
            FoundKey(ownerID: 1, probe: Probe(.path, length: -2), hash: 0x1122_3344_5566_7788),
            is: kmesh_found_key(owner_id: 1, probe: probe, hash: 0x1122_3344_5566_7788))
        expect(FoundValue(foundID: 3, text: 4), is: kmesh_found(found_id: 3, text: 4))
    }

    @Test func routes() {
        expect(RouteMapKey(hostID: 1, number: 2), is: kmesh_route_key(host_id: 1, number: 2))
        expect(
            RouteValue(
                next: 1, action: 0x1122, retries: 0x3344, target: 2, hashText: 3, conditionCount: 8,
                conditions: ConditionTexts(11, 12, 13, 14, 15, 16, 17, 18)),
            is: kmesh_route(
                next: 1, action: 0x1122, retries: 0x3344, target: 2, hash_text: 3, condition_count: 8,
                conditions: (11, 12, 13, 14, 15, 16, 17, 18)))
        #expect(ConditionTexts.scalarCount == Int(KMESH_CONDITIONS))
        expect(
            ConditionKey(hostID: 1, number: 2, block: 3),
            is: kmesh_condition_key(host_id: 1, number: 2, block: 3))
        expect(
            ConditionsValue(texts: ConditionTexts(1, 2, 3, 4, 5, 6, 7, 8)),
            is: kmesh_conditions(texts: (1, 2, 3, 4, 5, 6, 7, 8)))
    }

    @Test func splitsAndLimits() {
        expect(
            SplitValue(count: 1, total: 2, stride: 3, cursor: 4),
            is: kmesh_split(count: 1, total: 2, stride: 3, cursor: 4))
        expect(ShareKey(splitID: 1, index: 2), is: kmesh_share_key(split_id: 1, index: 2))
        expect(ShareValue(end: 1, serviceID: 2), is: kmesh_share(end: 1, service_id: 2))
        expect(LimitValue(maxConnections: 3), is: kmesh_limit(max_connections: 3, seal: 0))
        expect(
            ClusterValue(ClusterDigest(high: 0x1_0000_0002, low: 0x3_0000_0004)),
            is: kmesh_cluster(digest: (1, 2, 3, 4), seal: 0))
        #expect(ClusterValue.isSealed && MemoryLayout.offset(of: \kmesh_cluster.seal) == 16)
        #expect(LimitValue.isSealed && MemoryLayout.offset(of: \kmesh_limit.seal) == 4)
    }

    /// Key and value follow the head of eight bytes, and each other.
    @Test func texts() throws {
        let matcher = Matcher(.suffix, "x-v", Array("12345".utf8), [.ignoresCase, .inverts])
        let value = TextValue<Text64>(matcher)
        #expect(TextValue<Text64>.byteCount == Int(KMESH_TEXT_64_SIZE))
        #expect(TextValue<Text256>.byteCount == Int(KMESH_TEXT_256_SIZE))
        #expect(TextValue<Text4096>.byteCount == Int(KMESH_TEXT_4096_SIZE))
        let bytes = value.words.flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        }
        let head: [UInt8] = [UInt8(KMESH_MATCH_SUFFIX.rawValue), 3, 3, 0, 5, 0, 0, 0]
        #expect(bytes == head + Array("x-v12345".utf8) + Array(repeating: 0, count: 48))
        #expect(MemoryLayout.offset(of: \kmesh_http_matcher.key_size) == 2)
        #expect(MemoryLayout.offset(of: \kmesh_http_matcher.value_size) == 4)
        #expect(MemoryLayout<kmesh_http_matcher>.size == 8)
        #expect(TextValue<Text64>(words: value.words[...]) == value)
        for size in [0, 55, 56] {
            let full = TextValue<Text64>(Matcher(.exact, "", Array(repeating: 7, count: size)))
            #expect(TextValue<Text64>(words: full.words[...]) == full)
        }
        let flags = [KMESH_MATCH_IGNORE_CASE, KMESH_MATCH_INVERT, KMESH_MATCH_MISSING_IS_EMPTY]
        #expect(
            flags.map { UInt8($0.rawValue) }
                == [Matcher.Flags.ignoresCase, .inverts, .missingIsEmpty].map(\.rawValue))
        // What somebody else wrote is read without a trap.
        let garbage = Array(repeating: UInt32.max, count: TextValue<Text64>.wordCount)
        #expect(TextValue<Text64>(words: garbage[...]).matcher.key.count == 56)
    }

    @Test func hashesAreThoseOfTheHeader() {
        #expect(Array("".utf8).requestHash == KMESH_HASH_START)
        // The published value of FNV-1a for "a".
        #expect(Array("a".utf8).requestHash == 0xaf63_dc4c_8601_ec8c)
    }
}
