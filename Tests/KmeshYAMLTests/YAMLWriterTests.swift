import KmeshYAML
import Testing

@Suite struct YAMLWriterTests {
    private let sample = YAMLNode.mapping([
        "kind": "Service",
        "metadata": .mapping([
            "name": "reviews", "labels": .mapping(["version": "1.10", "on": "yes", "empty": ""]),
        ]),
        "spec": .mapping([
            "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"],
            "ports": [
                .mapping(["port": 9080, "name": "http"]), .mapping(["port": 53, "protocol": "UDP"]),
            ],
            "publishNotReadyAddresses": true, "nested": [[1, 2], []], "none": .null,
            "text": "a: b # no \"comment\"\n\u{1F600}\ttab", "number": "8080", "negative": -5, "dash": "- x",
        ]),
    ])

    @Test func yamlReadsBackAsWritten() throws {
        let text = YAMLWriter.yaml(sample)
        #expect(try shape(readAll(text).first) == shape(sample), "\(text)")
        #expect(text.hasPrefix("kind: Service\nmetadata:\n  name: reviews\n"))
        #expect(text.contains("  - port: 9080\n    name: http\n"))
        #expect(text.contains("version: \"1.10\""))
        #expect(text.contains("clusterIP: 10.0.0.1\n"))
    }

    @Test func jsonReadsBackAsWritten() throws {
        #expect(try shape(readAll(YAMLWriter.json(sample)).first) == shape(sample))
        #expect(try shape(readAll(YAMLWriter.json(sample, indent: 0)).first) == shape(sample))
        #expect(
            YAMLWriter.json(.mapping(["a": [1, "1", true, .null]]), indent: 0) == #"{"a":[1,"1",true,null]}"#)
    }

    @Test func severalDocuments() throws {
        let nodes = try readAll(YAMLWriter.yaml(documents: [sample, .mapping(["kind": "Pod"])]))
        #expect(nodes.map { $0["kind"]?.string } == ["Service", "Pod"])
    }

    /// A tree as one text in which numbers, Booleans and null differ from strings, without lines.
    private func shape(_ node: YAMLNode?) -> String {
        guard let node else { return "nothing" }
        switch node.value {
        case .scalar(let text, _):
            if node.isNull { return "null" }
            return node.int.map { "int \($0)" } ?? node.bool.map { "bool \($0)" } ?? "string \(text)"
        case .sequence(let elements): return "[" + elements.map { shape($0) }.joined(separator: ",") + "]"
        case .mapping(let entries):
            return "{" + entries.map { "\($0.key):\(shape($0.node))" }.joined(separator: ",") + "}"
        }
    }
}
