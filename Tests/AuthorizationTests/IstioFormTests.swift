// Policies as they are written, against what Istio's control plane makes of them for ztunnel: pairs of files,
// NAME-in.yaml and NAME.yaml. There are those of this project and, where they are, those of Istio.
import Foundation
import KmeshKit
import KmeshYAML
import MeshFile
import Testing

struct PolicyPair: Sendable, CustomTestStringConvertible {
    var folder: String
    var name: String

    var testDescription: String { name }

    private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    static let ours = pairs(in: "\(root)/Tests/Fixtures/authorization")
    static let istios = pairs(in: "\(root)/../shared/data/authorization")

    private static func pairs(in folder: String) -> [PolicyPair] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix("-in.yaml") }.sorted()
            .map { PolicyPair(folder: folder, name: String($0.dropLast("-in.yaml".count))) }
    }

    /// The objects of the input. One attribute of Istio's own proxy is not supported.
    func objects() throws -> [ObjectChange] {
        let text = try Files.readText("\(folder)/\(name)-in.yaml")
        var decoder = ObjectDecoder()
        var reader = YAMLReader(text)
        var objects: [ObjectChange] = []
        while var node = try reader.next() {
            if text.contains("experimental.envoy.filters") {
                let error = #expect(throws: DecodeError.self) { try decoder.decode(node) }
                #expect(error?.message.contains("experimental.envoy.filters.a.b[c] is not supported") == true)
                node.removeLastRule()
            }
            guard case .object(let object) = try decoder.decode(node) else { continue }
            objects.append(.upsert(object, Kubernetes.Origin()))
        }
        return objects
    }

    func expected() throws -> YAMLNode? {
        var reader = YAMLReader(try Files.readText("\(folder)/\(name).yaml"))
        return try reader.next()
    }
}

@Suite struct IstioFormTests {
    @Test(arguments: PolicyPair.ours + PolicyPair.istios)
    func thePolicyIsWhatIstioMakesOfIt(pair: PolicyPair) throws {
        var translator = MeshTranslator()
        let policies = try translator.apply(try pair.objects()).changes.compactMap { change in
            guard case .upsert(.policy(let policy)) = change, !policy.key.name.hasSuffix("_static_strict")
            else {
                return nil as AuthorizationPolicy?
            }
            return policy
        }
        #expect(policies.count <= 1)
        let expected = try pair.expected()
        var found = policies.first.map(YAMLNode.init(istioFormOf:))
        // Istio's tests give no namespace, where files mean the one of that name.
        if expected?["namespace"] == nil, found?["namespace"]?.string == "default" {
            found?.removeKey("namespace")
        }
        #expect(found?.canonical == expected?.canonical)
    }

    @Test func thereArePairs() throws {
        #expect(PolicyPair.ours.count >= 7)
        let outcomes = try PolicyPair.ours.map { try $0.expected() == nil }
        #expect(outcomes.contains(true) && outcomes.contains(false))
    }

    @Test func theOrderDoesNotCountButTheContentDoes() throws {
        func form(_ text: String) throws -> String? {
            var reader = YAMLReader(text)
            return try reader.next()?.canonical
        }
        #expect(try form("a: [1, {b: 2, c: 3}]") == form("a: [{c: 3, b: 2}, 1]"))
        for other in [
            "a: [1, {b: 2}]", "a: [1, {b: 2, c: 4}]", "a: [1, 1, {b: 2, c: 3}]", "a: [[1], {b: 2, c: 3}]",
        ] {
            #expect(try form("a: [1, {b: 2, c: 3}]") != form(other), "\(other)")
        }
    }
}

extension YAMLNode {
    fileprivate mutating func removeLastRule() {
        guard var spec = self["spec"], let rules = spec["rules"]?.sequence else { return }
        spec.set("rules", .sequence(Array(rules.dropLast())))
        set("spec", spec)
    }

    /// A text that is the same for values that differ in order alone: what Istio lists are sets.
    fileprivate var canonical: String {
        if let mapping {
            return "{\(mapping.map { "\($0.key): \($0.node.canonical)" }.sorted().joined(separator: ", "))}"
        }
        if let sequence { return "[\(sequence.map(\.canonical).sorted().joined(separator: ", "))]" }
        return string ?? "null"
    }

    /// The policy as connections are decided by it, in the form of Istio's `Authorization` message. What has
    /// the message's default is left out.
    fileprivate init(istioFormOf policy: AuthorizationPolicy) {
        self = .mapping(["name": .string(policy.key.name), "namespace": .string(policy.key.namespace)])
        if policy.action == .deny { set("action", "DENY") }
        if policy.isDryRun { set("dryRun", true) }
        switch policy.scope {
        case .mesh: break
        case .namespace: set("scope", "NAMESPACE")
        case .workloads: set("scope", "WORKLOAD_SELECTOR")
        case .targets: set("scope", "none of ztunnel's")
        }
        set("groups", nonEmpty: policy.atL4.rules.map(YAMLNode.init(group:)))
    }

    private init(group: PolicyRule) {
        self = .mapping([:])
        set(
            "rules",
            nonEmpty: group.clauses.map { .mapping(["matches": .sequence($0.map(YAMLNode.init(match:)))]) })
    }

    private init(match: PolicyMatch) {
        self = .mapping([:])
        set("namespaces", "notNamespaces", match.namespaces, YAMLNode.init(text:))
        set("principals", "notPrincipals", match.principals, YAMLNode.init(text:))
        set("serviceAccounts", "notServiceAccounts", match.serviceAccounts) {
            .mapping(["namespace": .string($0.namespace), "serviceAccount": .string($0.name)])
        }
        set("sourceIps", "notSourceIps", match.sourceBlocks, YAMLNode.init(block:))
        set("destinationIps", "notDestinationIps", match.destinationBlocks, YAMLNode.init(block:))
        set("destinationPorts", "notDestinationPorts", match.destinationPorts) { .int(Int($0)) }
    }

    private init(text: StringMatch) {
        switch text {
        case .exact(let text): self = .mapping(["exact": .string(text)])
        case .prefix(let text): self = .mapping(["prefix": .string(text)])
        case .suffix(let text): self = .mapping(["suffix": .string(text)])
        case .present: self = .mapping(["presence": .mapping([:])])
        }
    }

    private init(block: IPBlock) {
        let bytes = [block.address.high, block.address.low].flatMap { half in
            (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
        let address = Data(block.isV4 ? Array(bytes.suffix(4)) : bytes).base64EncodedString()
        let length = Int(block.prefixLength) - (block.isV4 ? 96 : 0)
        self = .mapping(["address": .string(address), "length": .int(length)])
    }

    private mutating func set(_ key: String, nonEmpty elements: [YAMLNode]) {
        if !elements.isEmpty { set(key, .sequence(elements)) }
    }

    private mutating func set<Pattern>(
        _ any: String, _ none: String, _ patterns: Patterns<Pattern>, _ form: (Pattern) -> YAMLNode
    ) {
        set(any, nonEmpty: patterns.any.map(form))
        set(none, nonEmpty: patterns.none.map(form))
    }
}
