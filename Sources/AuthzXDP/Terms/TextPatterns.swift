import KmeshKit

/// Prefixes and suffixes with where they are mentioned; a text is compared with one of each length, however
/// many there are.
struct TextPatterns: Sendable {
    private var prefixes: [Int: [[UInt8]: [TermNetwork.Mention]]] = [:]
    private var suffixes: [Int: [[UInt8]: [TermNetwork.Mention]]] = [:]

    var isEmpty: Bool { prefixes.isEmpty && suffixes.isEmpty }
    var hasPrefixes: Bool { !prefixes.isEmpty }

    mutating func insert(prefix text: String, _ mention: TermNetwork.Mention) {
        let bytes = Array(text.utf8)
        prefixes[bytes.count, default: [:]][bytes, default: []].append(mention)
    }

    mutating func insert(suffix text: String, _ mention: TermNetwork.Mention) {
        let bytes = Array(text.utf8)
        suffixes[bytes.count, default: [:]][bytes, default: []].append(mention)
    }

    func matching(_ text: [UInt8]) -> [TermNetwork.Mention] {
        var mentions = matching(startOf: text)
        for (length, patterns) in suffixes where length <= text.count {
            mentions += patterns[Array(text.suffix(length))] ?? []
        }
        return mentions
    }

    /// Those that match every text that begins so.
    func matching(startOf text: [UInt8]) -> [TermNetwork.Mention] {
        var mentions: [TermNetwork.Mention] = []
        for (length, patterns) in prefixes where length <= text.count {
            mentions += patterns[Array(text.prefix(length))] ?? []
        }
        return mentions
    }
}
