/// The waypoint as a program: raw requests of others' collections, and what goes wrong under load.
import Foundation
import KmeshTestSupport
import Testing

@Suite(.serialized) struct WaypointStressTests {
    private let directory: TemporaryDirectory
    private let python = BuiltProgram(path: "/usr/bin/python3")
    private let waypoint = BuiltProgram.built("kmesh-waypoint").path

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test(arguments: [
        "leaving_readers", "few_descriptors", "late_requests", "bodies", "slow_readers", "slow_writers",
        "slowloris", "dying_servers", "killed_server",
    ]) func staysCorrectUnderStress(scenario: String) throws {
        let outcome = try python.run(
            ["-B", fixture("stress.py"), waypoint, directory.path, scenario])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.output.contains("\(scenario): good"))
    }

    /// What it downloads is kept beside the build, for the next run.
    @Test func takesAndRefusesRawRequestsAsTheyDeserve() throws {
        let kept = URL(fileURLWithPath: waypoint).deletingLastPathComponent().appendingPathComponent("corpus")
        let outcome = try python.run(["-B", fixture("corpus.py"), waypoint, kept.path])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.output.contains("98 requests"))
    }

    private func fixture(_ name: String) -> String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return folder.appendingPathComponent("Fixtures/\(name)").path
    }
}
