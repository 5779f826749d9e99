/// An object that stands for pods, and the names that its pods get.
internal import KmeshYAML

struct PodSet: Hashable, Sendable {
    enum Kind: String, Hashable, Sendable, CaseIterable {
        case deployment = "Deployment"
        case replicaSet = "ReplicaSet"
        case statefulSet = "StatefulSet"
        case daemonSet = "DaemonSet"
        case pod = "Pod"
    }

    var kind: Kind
    var namespace: String
    var name: String
    /// How many pods the file asks for; a DaemonSet has one on each node.
    var replicas: Int
    var template: PodTemplate
    /// The headless service that names a StatefulSet's pods.
    var serviceName: String?
    var line: Int

    /// `Deployment default/reviews`
    var title: String { "\(kind.rawValue) \(namespace)/\(name)" }

    /// `nil` when the object stands for no pods.
    init?(_ object: KubernetesObject) throws(SandboxError) {
        guard let kind = Kind(rawValue: object.kind) else { return nil }
        self.kind = kind
        namespace = object.namespace
        name = object.name
        line = object.line
        serviceName = object.spec?["serviceName"]?.string
        replicas = 1
        if kind == .pod {
            template = try PodTemplate(object.node, of: object)
            return
        }
        guard let nested = object.spec?["template"] else { throw object.wrong("spec.template is missing") }
        template = try PodTemplate(nested, of: object)
        if let wanted = object.spec?["replicas"], !wanted.isNull {
            guard let number = wanted.int, number >= 0 else {
                throw object.wrong("replicas must be a number, 0 or more", line: wanted.line)
            }
            replicas = number
        }
        let selector = object.spec?["selector"]?["matchLabels"]?.texts ?? [:]
        if let missing = selector.keys.sorted().first(where: { template.labels[$0] != selector[$0] }) {
            throw object.wrong("the selector's label \(missing) is not on the template")
        }
    }

    /// The name of pod number `ordinal`: always the same for the same file.
    func podName(_ ordinal: Int) -> String {
        switch kind {
        case .pod: name
        case .statefulSet: "\(name)-\(ordinal)"
        case .deployment, .replicaSet, .daemonSet: "\(name)-\(suffix(ordinal))"
        }
    }

    /// Five letters as Kubernetes draws them, without vowels. Two pods of a set must not draw the same.
    private func suffix(_ ordinal: Int) -> String {
        var taken: Set<String> = []
        var drawn = ""
        for earlier in 0...ordinal {
            var salt = 0
            repeat {
                drawn = letters(fnv("\(namespace)/\(name)/\(earlier)/\(salt)"))
                salt += 1
            } while taken.contains(drawn)
            taken.insert(drawn)
        }
        return drawn
    }

    private func letters(_ hash: UInt64) -> String {
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789".utf8)
        var rest = hash
        var text: [UInt8] = []
        for _ in 0..<5 {
            text.append(alphabet[Int(rest % UInt64(alphabet.count))])
            rest /= UInt64(alphabet.count)
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// FNV-1a with a final mix: the low bits of short texts differ well.
func fnv(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
    return hash ^ hash >> 33
}
