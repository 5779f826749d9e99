/// The waypoint as a program beside the Gateway API's conformance suite: its cases for HTTPRoute, as tables.
import Foundation
import KmeshTestSupport
import Testing

@Suite struct WaypointConformanceTests {
    @Test func routesAsTheGatewayAPISays() throws {
        let directory = try TemporaryDirectory()
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures")
        let program = fixtures.appendingPathComponent("conformance.py").path
        // Their tables, and what these are made of.
        for part in ["conformance_cases.py", "conformance_objects.py"] {
            #expect(FileManager.default.fileExists(atPath: "\(fixtures.path)/\(part)"))
        }
        let outcome = try BuiltProgram(path: "/usr/bin/python3").run(
            ["-B", program, BuiltProgram.built("kmesh-waypoint").path, directory.path])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.output.contains("MeshTrafficSplit: good"))
    }
}
