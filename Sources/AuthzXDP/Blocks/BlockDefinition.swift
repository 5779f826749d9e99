import KmeshKit

/// What a block is made of: policies, or pieces of large ones, one after the other.

/// At most a block full of one policy's terms.
struct PolicyPiece: Hashable, Sendable {
    let form: PolicyForm
    let index: Int

    /// The pieces of a policy; none where it has no terms.
    static func pieces(of form: PolicyForm) -> [PolicyPiece] {
        let count = (form.termCount + TermVector.capacity - 1) / TermVector.capacity
        return (0..<count).map { PolicyPiece(form: form, index: $0) }
    }

    var termCount: Int { min(TermVector.capacity, form.termCount - index * TermVector.capacity) }

    func terms() -> ArraySlice<Term> {
        form.terms().dropFirst(index * TermVector.capacity).prefix(termCount)
    }

    static func == (left: PolicyPiece, right: PolicyPiece) -> Bool {
        left.index == right.index && (left.form === right.form || left.form.policy == right.form.policy)
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(form.hash)
        hasher.combine(index)
    }

    /// Its place, whatever the policy says now.
    struct Name: Hashable, Sendable {
        let policy: PolicyKey
        let index: Int
    }

    var name: Name { Name(policy: form.key, index: index) }
}

struct BlockDefinition: Hashable, Sendable {
    var pieces: [PolicyPiece] = []

    var termCount: Int { pieces.reduce(0) { $0 + $1.termCount } }
    var room: Int { TermVector.capacity - termCount }

    /// The same in every run.
    var stableHash: UInt64 {
        var hash = StableHash()
        for piece in pieces {
            hash.combine(piece.form.hash)
            hash.combine(UInt64(piece.index))
        }
        return hash.value
    }
}

/// Which policies protect a destination together. A layer's blocks are shared by all destinations that have
/// it.
enum LayerKey: Hashable, Sendable {
    case mesh
    case namespace(String)
    /// Those that workloads name, sorted.
    case attached([PolicyKey])
}

/// How the policies of a layer are divided into blocks.
enum LayerPacking {
    /// A changed block takes in another one when both together are not fuller than this: with room left, so
    /// that the next policy does not part them again.
    private static var mergedTerms: Int { TermVector.capacity * 3 / 4 }

    /// Divides `forms`, which are sorted, so that blocks of `old` that hold none of the changed policies stay
    /// as they are.
    static func pack(_ forms: [PolicyForm], into old: [BlockDefinition]) -> [BlockDefinition] {
        var waiting: [PolicyPiece.Name: PolicyPiece] = [:]
        for form in forms {
            for piece in PolicyPiece.pieces(of: form) { waiting[piece.name] = piece }
        }
        var blocks = old.map { keep($0, &waiting) }
        var isChanged = zip(old, blocks).map { $0 != $1 }
        for form in forms {
            for piece in PolicyPiece.pieces(of: form) where waiting[piece.name] != nil {
                let fits = { (index: Int) in blocks[index].room >= piece.termCount }
                let place =
                    blocks.indices.first { isChanged[$0] && fits($0) } ?? blocks.indices.first(where: fits)
                if let place {
                    blocks[place].pieces.append(piece)
                    isChanged[place] = true
                } else {
                    blocks.append(BlockDefinition(pieces: [piece]))
                    isChanged.append(true)
                }
            }
        }
        return merge(blocks, isChanged)
    }

    /// What stays in a block: first what has not changed, then what else fits; in the order that it had.
    private static func keep(
        _ block: BlockDefinition, _ waiting: inout [PolicyPiece.Name: PolicyPiece]
    ) -> BlockDefinition {
        var room = TermVector.capacity
        var kept: [PolicyPiece?] = block.pieces.map { piece in
            guard let wanted = waiting[piece.name], wanted == piece, wanted.termCount <= room else {
                return nil
            }
            room -= piece.termCount
            return piece
        }
        for (index, piece) in block.pieces.enumerated() where kept[index] == nil {
            guard let wanted = waiting[piece.name], wanted.termCount <= room else { continue }
            room -= wanted.termCount
            kept[index] = wanted
        }
        let pieces = kept.compactMap { $0 }
        for piece in pieces { waiting[piece.name] = nil }
        return BlockDefinition(pieces: pieces)
    }

    private static func merge(_ packed: [BlockDefinition], _ isChanged: [Bool]) -> [BlockDefinition] {
        var blocks = zip(packed, isChanged).filter { !$0.0.pieces.isEmpty }
        var index = 0
        while index < blocks.count {
            let count = blocks[index].0.termCount
            let partner = blocks.indices.first {
                $0 != index && count + blocks[$0].0.termCount <= mergedTerms
            }
            guard blocks[index].1, let partner else {
                index += 1
                continue
            }
            blocks[index].0.pieces += blocks[partner].0.pieces
            blocks.remove(at: partner)
            if partner < index { index -= 1 }
        }
        return blocks.map(\.0)
    }
}
