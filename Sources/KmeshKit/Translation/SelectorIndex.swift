/// Finds the selectors that pick given labels.
struct SelectorIndex: Sendable {
    struct Pair: Hashable, Sendable {
        var namespace: String
        var label: Kubernetes.Label
    }

    /// Owners by one pair of their selector, the one that fewest owners had.
    private var ownersByPair: [Pair: [Slot]] = [:]
    private var anchors: [Slot: Pair] = [:]
    private var selectors: [Slot: Kubernetes.Labels] = [:]

    /// An empty selector picks nothing.
    mutating func insert(_ owner: Slot, namespace: String, selector: Kubernetes.Labels) {
        let pairs = selector.pairs.map { Pair(namespace: namespace, label: $0) }
        func count(_ pair: Pair) -> Int { ownersByPair[pair]?.count ?? 0 }
        guard let anchor = pairs.min(by: { count($0) < count($1) }) else { return }
        ownersByPair.append(owner, to: anchor)
        anchors[owner] = anchor
        selectors[owner] = selector
    }

    mutating func remove(_ owner: Slot) {
        if let anchor = anchors.removeValue(forKey: owner) { ownersByPair.removeOne(owner, from: anchor) }
        selectors[owner] = nil
    }

    /// The owners whose selector in this namespace picks the labels, each once.
    func picking(_ labels: Kubernetes.Labels, in namespace: String) -> [Slot] {
        var owners: [Slot] = []
        if ownersByPair.isEmpty { return owners }
        for label in labels.pairs {
            for owner in ownersByPair[Pair(namespace: namespace, label: label)] ?? [] {
                if let selector = selectors[owner], labels.contains(selector) { owners.append(owner) }
            }
        }
        return owners
    }
}
