// Shares equal texts, labels and port lists between objects, as a mesh repeats few of them very often.
internal import KmeshKit

struct Interner {
    /// Beyond so many the table starts anew; only sharing is lost.
    private static let limit = 400_000

    private var texts: Set<String> = []
    private var labels: Set<Kubernetes.Labels> = []
    private var ports: Set<[Kubernetes.NamedPort]> = []
    private var numbers: Set<[UInt16]> = []

    mutating func share(_ text: String) -> String {
        // Short texts have no storage to share.
        if text.utf8.count <= 15 { return text }
        if texts.count >= Self.limit { texts = [] }
        return texts.insert(text).memberAfterInsert
    }

    mutating func share(_ value: Kubernetes.Labels) -> Kubernetes.Labels {
        if labels.count >= Self.limit { labels = [] }
        return labels.insert(value).memberAfterInsert
    }

    mutating func share(_ value: [Kubernetes.NamedPort]) -> [Kubernetes.NamedPort] {
        if value.isEmpty { return value }
        if ports.count >= Self.limit { ports = [] }
        return ports.insert(value).memberAfterInsert
    }

    mutating func share(_ value: [UInt16]) -> [UInt16] {
        if value.isEmpty { return value }
        if numbers.count >= Self.limit { numbers = [] }
        return numbers.insert(value).memberAfterInsert
    }
}
