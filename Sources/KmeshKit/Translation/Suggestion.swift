/// Finds the word that was meant.
package enum Suggestion {
    /// The candidate within two edits, or equal but for case.
    package static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let typed = Array(word.lowercased().utf8.prefix(64))
        let best = candidates.map { (name: $0, distance: distance(typed, Array($0.lowercased().utf8))) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        guard let best, best.distance <= 2, best.distance < typed.count else { return nil }
        return best.name
    }

    /// Insertions, deletions and replacements from one to the other.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
