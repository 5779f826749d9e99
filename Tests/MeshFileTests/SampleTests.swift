import KmeshKit
import MeshFile
import Testing

/// The manifest that people start from, as they write it: nothing has given the services addresses yet.
@Suite struct SampleTests {
    @Test func manifestsOfPeopleAreRead() async throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let text = try Files.readText("\(root)/samples/bookinfo.yaml")
        let kinds = text.split(separator: "\n").filter { $0.hasPrefix("kind: ") }.map { $0.dropFirst(6) }
        let (source, first) = try await MeshFileSource.open("\(root)/samples/bookinfo.yaml")
        let services = kinds.count { $0 == "Service" }
        #expect(services > 0 && first.objectCount >= services)
        #expect(first.skippedKinds["Deployment"] == kinds.count { $0 == "Deployment" })
        #expect(first.warnings.count { $0.contains("has no clusterIP") } == services)
        source.close()
    }
}
