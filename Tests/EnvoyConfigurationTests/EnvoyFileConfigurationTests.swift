import Foundation
import KmeshKit
import KmeshTestSupport
import Testing

@testable import EnvoyConfiguration

/// A watched file: what changes arrives, and a bad file changes nothing.
@Suite(.timeLimit(.minutes(1))) struct EnvoyFileConfigurationTests {
    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        try await body(directory.path)
    }

    private func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// The next change; a failure is nothing.
    private func names(_ source: EnvoyFileConfiguration) async -> [String]? {
        (try? await source.next())?.changes.map { change in
            switch change {
            case .upsert(let resource): "+ \(resource.name)"
            case .remove(let name): "- \(name)"
            }
        }
    }

    private func failure(_ source: EnvoyFileConfiguration) async -> [String] {
        do throws(ConfigurationError) {
            _ = try await source.next()
            return []
        } catch {
            return error.problems
        }
    }

    @Test func changesArriveAndMistakesChangeNothing() async throws {
        try await withDirectory { directory in
            let path = "\(directory)/mesh.json"
            try write(document(), to: path)
            let source = EnvoyFileConfiguration(path)
            let first = try await source.start()
            #expect(first.changes.map(\.name) == [.listener("l"), .routes(.named("r")), .cluster("c")])
            try write(document(cluster: #"{"name": "c"}, {"name": "d"}"#), to: path)
            #expect(await names(source) == ["+ Cluster d"])
            try write(document(cluster: #"{"nam": "c"}"#), to: path)
            let problems = await failure(source)
            #expect(problems.first?.hasPrefix("\(path): staticResources.clusterConfigs[0].nam: ") == true)
            // Repaired to what it was: news without a change.
            try write(document(cluster: #"{"name": "c"}, {"name": "d"}"#), to: path)
            #expect(await names(source) == [])
            try write(document(), to: path)
            #expect(await names(source) == ["- Cluster d"])
            try FileManager.default.removeItem(atPath: path)
            #expect(await failure(source) == ["\(path): is not there: put it back"])
            source.reload()
            #expect(await failure(source) == ["\(path): is not there: put it back"])
            try write(document(), to: path)
            #expect(await names(source) == [])
            source.reload()
            #expect(await names(source) == [])
        }
    }

    @Test(arguments: [false, true])
    func nothingIsTakenOnlyWhenItIsMeant(allowsEmpty: Bool) async throws {
        try await withDirectory { directory in
            let path = "\(directory)/mesh.json"
            try write(document(), to: path)
            let source = EnvoyFileConfiguration(path, allowsEmpty: allowsEmpty)
            _ = try await source.start()
            try write(#"{"staticResources": {}}"#, to: path)
            if allowsEmpty {
                #expect(await names(source)?.count == 3)
            } else {
                #expect(await failure(source).first?.contains("pass --allow-empty") == true)
            }
        }
    }

    /// Until its writer closes it, nobody looks at what is there.
    @Test func aFileThatSomebodyWritesIsReadLater() async throws {
        try await withDirectory { directory in
            let path = "\(directory)/mesh.json"
            try write(document(), to: path)
            let source = EnvoyFileConfiguration(path)
            _ = try await source.start()
            let bytes = Array(document(cluster: #"{"name": "c"}, {"name": "d"}"#).utf8)
            let file = try #require(FileHandle(forWritingAtPath: path))
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: bytes.prefix(100))
            source.reload()
            let next = Task { await names(source) }
            try await Task.sleep(for: .milliseconds(300))
            try file.write(contentsOf: bytes.dropFirst(100))
            try file.close()
            #expect(await next.value == ["+ Cluster d"])
        }
    }

    @Test func aFileThatIsNotThereYetIsWaitedFor() async throws {
        try await withDirectory { directory in
            let path = "\(directory)/later/mesh.json"
            let source = EnvoyFileConfiguration(path)
            try source.begin()
            #expect(await failure(source) == ["\(path): is not there: put it back"])
            try FileManager.default.createDirectory(
                atPath: "\(directory)/later", withIntermediateDirectories: false)
            try write(document(), to: path)
            #expect(await names(source)?.count == 3)
        }
    }

    @Test func aLinkIsFollowedAsItIsSwapped() async throws {
        try await withDirectory { directory in
            let files = FileManager.default
            for (name, cluster) in [("one", #"{"name": "c"}"#), ("two", #"{"name": "c"}, {"name": "d"}"#)] {
                try files.createDirectory(atPath: "\(directory)/\(name)", withIntermediateDirectories: false)
                try write(document(cluster: cluster), to: "\(directory)/\(name)/mesh.json")
            }
            // As Kubernetes lays out a ConfigMap.
            try files.createSymbolicLink(atPath: "\(directory)/..data", withDestinationPath: "one")
            try files.createSymbolicLink(
                atPath: "\(directory)/mesh.json", withDestinationPath: "..data/mesh.json")
            let source = EnvoyFileConfiguration("\(directory)/mesh.json")
            #expect(try await source.start().changes.count == 3)
            try files.createSymbolicLink(atPath: "\(directory)/..new", withDestinationPath: "two")
            try Files.move("\(directory)/..new", to: "\(directory)/..data")
            #expect(await names(source) == ["+ Cluster d"])
        }
    }

    @Test func aCancelledTaskWaitsNoLonger() async throws {
        try await withDirectory { directory in
            try write(document(), to: "\(directory)/mesh.json")
            let source = EnvoyFileConfiguration("\(directory)/mesh.json")
            _ = try await source.start()
            let waiter = Task { await names(source) }
            try await Task.sleep(for: .milliseconds(50))
            waiter.cancel()
            #expect(await waiter.value == nil)
        }
    }
}
