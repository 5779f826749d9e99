import AuthzXDP
import CKmeshABI
import KmeshKit
import KmeshTestSupport
import Testing

/// The words that Swift writes are the bytes of the C structs, field by field.
@Suite struct LayoutTests {
    private let address = CLayout.address, cAddress = CLayout.cAddress

    private func expect<Entry: MapWords, CEntry>(
        _ entry: Entry, is cEntry: CEntry, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(Entry.byteCount == MemoryLayout<CEntry>.size, sourceLocation: sourceLocation)
        let cWords = CLayout.words(of: cEntry).prefix(Entry.wordCount)
        #expect(entry.words == Array(cWords), sourceLocation: sourceLocation)
        #expect(Entry(words: cWords) == entry, sourceLocation: sourceLocation)
    }

    /// A vector whose words are all different.
    private func vector(_ start: UInt64) -> TermVector {
        let words = (0..<UInt64(KMESH_AUTHZ_WORDS)).flatMap { index -> [UInt32] in
            let word = (start + index) &* 0x0123_4567_89ab_cdef
            return [UInt32(truncatingIfNeeded: word), UInt32(truncatingIfNeeded: word >> 32)]
        }
        return TermVector(words: words[...])
    }

    @Test func sourcesAndDestinations() {
        expect(AuthzAddressKey(address), is: cAddress)
        expect(
            AuthzSourceValue(identityID: 1, namespaceID: 2, flags: 3),
            is: kmesh_authz_source(identity: 1, namespace_id: 2, flags: 3, seal: 0))
        #expect(MemoryLayout.offset(of: \kmesh_authz_source.seal) == 12)
        expect(AuthzDestinationValue(viewID: 7), is: kmesh_authz_destination(view_id: 7, seal: 0))
        #expect(MemoryLayout.offset(of: \kmesh_authz_destination.seal) == 4)
        #expect(AuthzSourceValue.isSealed && AuthzDestinationValue.isSealed)
    }

    @Test func views() {
        expect(AuthzIDKey(9), is: kmesh_authz_view_key(view_id: 9))
        var view = kmesh_authz_view()
        (view.flags, view.block_count) = (3, 2)
        (view.block_ids.0, view.block_ids.1) = (11, 12)
        expect(AuthzViewValue(flags: 3, blockIDs: [11, 12]), is: view)
        #expect(AuthzViewValue(flags: 1, blockIDs: []).restricts)
        #expect(AuthzViewValue(flags: 2, blockIDs: []).restrictsOnTrial)
    }

    @Test func blocks() throws {
        var value = AuthzBlockValue(wordCount: 16, dimensions: 0x15)
        let paths: [WritableKeyPath<AuthzBlockValue, TermVector>] = [
            \.deny, \.allow, \.trialDeny, \.trialAllow, \.identified, \.unidentified, \.source, \.destination,
            \.port,
        ]
        for (index, path) in paths.enumerated() { value[keyPath: path] = vector(UInt64(index) * 100 + 1) }
        #expect(AuthzBlockValue.byteCount == MemoryLayout<kmesh_authz_block>.size)
        #expect(AuthzBlockValue(words: value.words[...]) == value)
        let offsets: [Int?] = [
            MemoryLayout.offset(of: \kmesh_authz_block.deny),
            MemoryLayout.offset(of: \kmesh_authz_block.allow),
            MemoryLayout.offset(of: \kmesh_authz_block.trial_deny),
            MemoryLayout.offset(of: \kmesh_authz_block.trial_allow),
            MemoryLayout.offset(of: \kmesh_authz_block.identified),
            MemoryLayout.offset(of: \kmesh_authz_block.unidentified),
            MemoryLayout.offset(of: \kmesh_authz_block.source),
            MemoryLayout.offset(of: \kmesh_authz_block.destination),
            MemoryLayout.offset(of: \kmesh_authz_block.port),
        ]
        for (path, offset) in zip(paths, offsets) {
            let first = try #require(offset) / 4
            let written = Array(value.words[first..<(first + TermVector.wordCount)])
            #expect(written == value[keyPath: path].words)
        }
        #expect(Array(value.words.prefix(2)) == [16, 0x15])
    }

    @Test func bitsAndPrefixes() {
        expect(
            AuthzBitsKey(blockID: 5, dimension: .port, value: 80),
            is: kmesh_authz_bits_key(block_id: 5, dimension: KMESH_AUTHZ_PORT.rawValue, value: 80))
        #expect(TermVector.byteCount == MemoryLayout<kmesh_authz_vector>.size)
        #expect(TermVector.capacity == Int(KMESH_AUTHZ_TERMS))
        expect(
            AuthzPrefixKey(blockID: 5, dimension: .source, address: address, prefixLength: 20),
            is: kmesh_authz_prefix_key(
                prefix_length: 84, block_id: 5, dimension: KMESH_AUTHZ_SOURCE.rawValue, address: cAddress))
        #expect(AuthzDimension.identity.rawValue == KMESH_AUTHZ_IDENTITY.rawValue)
        #expect(AuthzDimension.namespace.rawValue == KMESH_AUTHZ_NAMESPACE.rawValue)
        #expect(AuthzDimension.destination.rawValue == KMESH_AUTHZ_DESTINATION.rawValue)
    }

    /// Bit n of the kernel's vector is bit n % 64 of word n / 64.
    @Test func vectors() {
        var vector = TermVector()
        vector[70] = true
        #expect(vector.firstBit == 70 && vector.bits == [70])
        #expect(vector.words[1] == 1 << 6)
        #expect(vector.words[0] == 0)
        var written: [UInt32] = []
        vector.append(to: &written)
        #expect(written[2] == 1 << 6)
        #expect((vector & TermVector(first: 70)).isEmpty)
        #expect((vector & TermVector(first: 71)) == vector)
        vector[70] = false
        #expect(vector == TermVector())
    }

    @Test func termsPoliciesAndProbes() {
        expect(AuthzTermKey(blockID: 3, bit: 4), is: kmesh_authz_term_key(block_id: 3, bit: 4))
        expect(AuthzTermValue(policyID: 6), is: kmesh_authz_term(policy_id: 6))
        expect(
            AuthzPolicyValue(denied: 0x1_0000_0002, trialDenied: 0x3_0000_0004),
            is: kmesh_authz_policy(denied: 0x1_0000_0002, trial_denied: 0x3_0000_0004))
        expect(
            AuthzProbeKey(address: address, port: 8080),
            is: kmesh_authz_probe_key(address: cAddress, port: 8080))
        expect(AuthzProbeValue(), is: kmesh_authz_probe(pad: 0))
    }
}
