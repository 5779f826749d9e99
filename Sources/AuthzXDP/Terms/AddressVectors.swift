import KmeshKit

/// The terms of a block that addresses satisfy: for each prefix that a term names those that hold in it and
/// in none of the longer ones.
///
/// Prefixes are visited from the shorter to the longer, and a term is looked at only where it names one:
/// the cost grows with the number of prefixes, not with that of terms times prefixes.
struct AddressVectors: Sendable {
    struct Entry: Hashable, Sendable {
        var address: IPAddress
        var prefixLength: UInt8
        var vector: TermVector
    }

    /// For addresses in no entry.
    let outside: TermVector
    /// Those that differ from the entry around them.
    let entries: [Entry]

    /// - Parameter clauses: those of each term.
    init(_ clauses: [[[Patterns<IPBlock>]]]) {
        var network = TermNetwork(termCount: clauses.count)
        var mentions: [Mention] = []
        for (term, clauses) in clauses.enumerated() {
            for clause in clauses {
                network.addClause(to: term, clause) { network, match, blocks in
                    network.add(blocks, to: match) { mentions.append(Mention(block: $0, mention: $1)) }
                }
            }
        }
        mentions.sort { $0.precedes($1) }
        outside = network.vector
        entries = Self.visit(mentions, &network, outside: outside)
    }

    private struct Mention {
        let block: IPBlock
        let mention: TermNetwork.Mention

        /// IPv6 before IPv4, which no IPv6 block reaches into; then each block before those inside it.
        func precedes(_ other: Mention) -> Bool {
            if block.isV4 != other.block.isV4 { return other.block.isV4 }
            let left = block.address, right = other.block.address
            return (left.high, left.low, block.prefixLength)
                < (right.high, right.low, other.block.prefixLength)
        }
    }

    private struct Level {
        let block: IPBlock
        let mentions: Range<Int>
        let vector: TermVector
    }

    private static func visit(
        _ mentions: [Mention], _ network: inout TermNetwork, outside: TermVector
    ) -> [Entry] {
        var entries: [Entry] = []
        // The blocks around the one that is visited.
        var around: [Level] = []
        var isRootNeeded = false, hasRoot = false
        var start = 0
        while start < mentions.count {
            let block = mentions[start].block
            var end = start + 1
            while end < mentions.count, mentions[end].block == block { end += 1 }
            while let level = around.last, !level.block.contains(block.address) {
                for mention in mentions[level.mentions] { network.set(mention.mention, false) }
                around.removeLast()
            }
            for mention in mentions[start..<end] { network.set(mention.mention, true) }
            let vector = network.vector
            let isRoot = block.isV4 && block.prefixLength == 96
            if isRoot || vector != around.last?.vector ?? outside {
                entries.append(
                    Entry(address: block.address, prefixLength: block.prefixLength, vector: vector))
                if block.prefixLength < 96 { isRootNeeded = true }
                if isRoot { hasRoot = true }
            }
            around.append(Level(block: block, mentions: start..<end, vector: vector))
            start = end
        }
        // In the kernel a short prefix of IPv6 would reach into the mapped IPv4 addresses.
        if isRootNeeded, !hasRoot {
            entries.append(Entry(address: IPAddress(v4: 0), prefixLength: 96, vector: outside))
        }
        return entries
    }

    /// As the kernel looks an address up.
    static func vector(of address: IPAddress, in entries: [Entry]) -> TermVector? {
        var best: Entry?
        for entry in entries where address.masked(to: Int(entry.prefixLength)) == entry.address {
            if entry.prefixLength >= best?.prefixLength ?? 0 { best = entry }
        }
        return best?.vector
    }
}

/// The terms of a block that ports satisfy.
struct PortVectors: Sendable {
    struct Entry: Hashable, Sendable {
        var port: UInt16
        var vector: TermVector
    }

    /// For ports without an entry.
    let others: TermVector
    let entries: [Entry]

    /// - Parameter clauses: those of each term.
    init(_ clauses: [[[Patterns<UInt16>]]]) {
        var network = TermNetwork(termCount: clauses.count)
        var mentions: [UInt16: [TermNetwork.Mention]] = [:]
        for (term, clauses) in clauses.enumerated() {
            for clause in clauses {
                network.addClause(to: term, clause) { network, match, ports in
                    network.add(ports, to: match) { mentions[$0, default: []].append($1) }
                }
            }
        }
        let others = network.vector
        self.others = others
        entries = mentions.keys.sorted().compactMap { port in
            let vector = network.vector(with: mentions[port] ?? [])
            return vector == others ? nil : Entry(port: port, vector: vector)
        }
    }
}
