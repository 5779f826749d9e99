import KmeshKit
import MeshFile
import Testing

/// Real manifests that may lie beside the project.
@Suite struct BookinfoTests {
    @Test(arguments: ["bookinfo.yaml", "bookinfo-dualstack.yaml"])
    func manifestsOfPeopleAreRead(name: String) async throws {
        let path = "/work/shared/data/bookinfo/\(name)"
        guard Files.exists(path) else {
            print("skipped: \(path) is not here")
            return
        }
        let (_, first) = try await MeshFileSource.open(path)
        #expect(first.objectCount == 4)
        #expect(first.skippedKinds["Deployment"] == 6)
        // Nobody has given the services addresses yet.
        #expect(first.warnings.count { $0.contains("has no clusterIP") } == 4)
    }
}
