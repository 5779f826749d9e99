import KmeshKit
import Testing

@testable import AuthzXDP

/// Policies stay in their blocks as far as possible.
@Suite struct PackingTests {
    /// A policy of as many terms as asked for.
    private func form(_ name: String, _ count: Int, action: PolicyAction = .deny) throws -> PolicyForm {
        try PolicyForm(
            AuthorizationPolicy(
                key: PolicyKey(namespace: "a", name: name), action: action,
                rules: Array(repeating: PolicyRule(), count: count)))
    }

    private func names(_ blocks: [BlockDefinition]) -> [[String]] {
        blocks.map { block in block.pieces.map { "\($0.form.key.name)\($0.index == 0 ? "" : "+\($0.index)")" }
        }
    }

    @Test func policiesFillBlocksInTheirOrder() throws {
        let forms = try ["a", "b", "c"].map { try form($0, 400) }
        #expect(names(LayerPacking.pack(forms, into: [])) == [["a", "b"], ["c"]])
        #expect(LayerPacking.pack([], into: []).isEmpty)
        #expect(LayerPacking.pack([try form("none", 0)], into: []).isEmpty)
    }

    @Test func largePoliciesAreDivided() throws {
        let forms = [try form("a", 2500), try form("b", 500)]
        let blocks = LayerPacking.pack(forms, into: [])
        #expect(names(blocks) == [["a"], ["a+1"], ["a+2", "b"]])
        #expect(blocks.map(\.termCount) == [1024, 1024, 952])
    }

    @Test func onlyBlocksOfChangedPoliciesChange() throws {
        var forms = try (0..<10).map { try form("p\($0)", 200) }
        let old = LayerPacking.pack(forms, into: [])
        #expect(names(old) == [["p0", "p1", "p2", "p3", "p4"], ["p5", "p6", "p7", "p8", "p9"]])
        forms[7] = try form("p7", 200, action: .allow)
        let new = LayerPacking.pack(forms, into: old)
        #expect(names(new) == names(old))
        #expect(new[0] == old[0] && new[1] != old[1])
        // One that has become too large for its block leaves it; its neighbours stay.
        forms[2] = try form("p2", 300)
        #expect(
            names(LayerPacking.pack(forms, into: new))
                == [["p0", "p1", "p3", "p4"], ["p5", "p6", "p7", "p8", "p9"], ["p2"]])
        forms.removeAll { $0.key.name == "p0" }
        let without = LayerPacking.pack(forms, into: new)
        #expect(names(without) == [["p1", "p2", "p3", "p4"], ["p5", "p6", "p7", "p8", "p9"]])
    }

    @Test func blocksThatHaveBecomeSmallAreJoined() throws {
        var forms = try (0..<10).map { try form("p\($0)", 200) }
        let old = LayerPacking.pack(forms, into: [])
        forms.removeAll { ["p0", "p1", "p2", "p6", "p7", "p8", "p9"].contains($0.key.name) }
        #expect(names(LayerPacking.pack(forms, into: old)) == [["p3", "p4", "p5"]])
    }

    @Test func theSameBlockHasTheSameHash() throws {
        let one = BlockDefinition(pieces: PolicyPiece.pieces(of: try form("a", 3)))
        let same = BlockDefinition(pieces: PolicyPiece.pieces(of: try form("a", 3)))
        let other = BlockDefinition(pieces: PolicyPiece.pieces(of: try form("a", 4)))
        #expect(one == same && one.stableHash == same.stableHash)
        #expect(one != other && one.stableHash != other.stableHash)
        let candidates = Array(HashedIDs.candidates(one.stableHash))
        #expect(Set(candidates).count == HashedIDs.searchDepth && !candidates.contains(0))
        var ids = HashedIDs()
        #expect((0..<3).map { _ in ids.allocate(one.stableHash) } == Array(candidates.prefix(3)))
        ids.release(candidates[1])
        #expect(ids.allocate(one.stableHash) == candidates[1])
    }
}
