import Foundation
import KmeshDaemon
import KmeshKit
import KmeshTestSupport
import Testing

/// Where the configuration comes from, as it is said to the daemon.
@Suite struct SourceFlagTests {
    @Test(
        arguments: [
            ([], "--mesh-file is missing: name the mesh's file or directory, or a file with --static-xds"),
            (
                ["--mesh-file", "a", "--static-xds", "b", "--mode", "kernel-native"],
                "--mesh-file and --static-xds are both there: keep one"
            ),
            (
                ["--static-xds", "b"],
                "--static-xds needs --mode=kernel-native: the dual-engine engine has no listeners"
            ),
        ])
    func oneSourceIsNamed(_ arguments: [String], _ error: String) throws {
        let outcome = try BuiltProgram.built("kmesh-daemon").run(arguments)
        #expect(outcome.status != 0 && outcome.errors.contains(error), "\(outcome)")
    }

    @Test func eachNameLeadsToItsSource() {
        var options = DaemonOptions(
            engine: EngineOptions(nodeName: "n", cgroupPath: "/nowhere"), source: .meshFile("mesh.yaml"))
        #expect(SourceFactory.make(options).name == "mesh.yaml")
        options.source = .staticXDS("/nowhere/envoy.json")
        #expect(SourceFactory.make(options).name == "/nowhere/envoy.json")
    }

    @Test func aStaticFileIsRead() async throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/envoy.json"
        let document = #"{"staticResources": {"clusterConfigs": [{"name": "c"}]}}"#
        try document.write(toFile: path, atomically: true, encoding: .utf8)
        let options = DaemonOptions(
            mode: .kernelNative, engine: EngineOptions(nodeName: "n", cgroupPath: "/nowhere"),
            source: .staticXDS(path))
        let update = try await SourceFactory.make(options).start()
        #expect(update.changes.map(\.name) == [.cluster("c")])
    }
}
