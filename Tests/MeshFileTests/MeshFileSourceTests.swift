import Glibc
import KmeshKit
import KmeshTestSupport
import MeshFile
import Testing

extension TemporaryDirectory {
    /// Writes in place, as a shell's redirection does.
    func write(_ name: String, _ text: String) throws {
        let file = try FileDescriptor.open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        try file.write(Array(text.utf8))
    }
}

func manifest(_ name: String, _ address: String, selector: String = "web") -> String {
    """
    apiVersion: v1
    kind: Service
    metadata:
      name: \(name)
    spec:
      clusterIP: \(address)
      selector:
        app: \(selector)
      ports:
      - port: 80

    """
}

func names(_ update: MeshUpdate) -> [String] {
    update.changes.map { change in
        switch change {
        case .upsert(let resource): "+\(resource.name)"
        case .remove(let name): "-\(name)"
        }
    }.sorted()
}

/// The next event within ten seconds.
func nextEvent(_ source: MeshFileSource) async throws -> MeshFileEvent {
    let watchdog = Task {
        try await Task.sleep(for: .seconds(10))
        source.close()
    }
    defer { watchdog.cancel() }
    return try #require(await source.next(), "no event came")
}

func nextUpdate(_ source: MeshFileSource) async throws -> MeshUpdate {
    switch try await nextEvent(source) {
    case .update(let update): return update
    case .failed(let error): throw error
    }
}

func nextFailure(_ source: MeshFileSource) async throws -> MeshFileError {
    switch try await nextEvent(source) {
    case .update(let update):
        throw Unexpected(what: "expected a failure, got \(names(update))")
    case .failed(let error): return error
    }
}

@Suite struct MeshFileSourceTests {
    let folder: TemporaryDirectory
    var path: String { folder.path }

    init() throws { folder = try TemporaryDirectory() }

    @Test func theRootNamespaceIsAnOption() async throws {
        try folder.write(
            "a.yaml",
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: p, namespace: root}
            spec: {}

            """)
        for (root, scope) in [("root", PolicyScope.mesh), ("istio-system", .namespace)] {
            var options = MeshFileOptions()
            options.rootNamespace = root
            let (source, first) = try await MeshFileSource.open(path, options: options)
            defer { source.close() }
            #expect(
                first.changes == [
                    .upsert(.policy(.init(key: PolicyKey(namespace: "root", name: "p"), scope: scope)))
                ])
        }
    }

    @Test func aDirectoryIsReadAndWatched() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        try folder.write("b.json", #"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}"#)
        try folder.write("ignored.txt", "][")
        try folder.write(".hidden.yaml", "][")
        try Files.makeDirectories("\(path)/directory.yaml")
        let (source, first) = try await MeshFileSource.open(path)
        #expect(names(first) == ["+Service default/a.default.svc.cluster.local"])
        #expect(first.fileCount == 2 && first.objectCount == 1 && first.skippedKinds == ["ConfigMap": 1])
        try Files.makeDirectories("\(path)/another.yaml")
        try folder.write("c.yml", manifest("c", "172.16.0.3"))
        #expect(names(try await nextUpdate(source)) == ["+Service default/c.default.svc.cluster.local"])
        try folder.write("a.yaml", manifest("a", "172.16.0.9"))
        #expect(names(try await nextUpdate(source)) == ["+Service default/a.default.svc.cluster.local"])
        try Files.remove("\(path)/c.yml")
        let last = try await nextUpdate(source)
        #expect(names(last) == ["-Service default/c.default.svc.cluster.local"])
        #expect(last.objectCount == 1 && last.fileCount == 2)
        source.close()
        #expect(await source.next() == nil)
    }

    @Test func anObjectMayMoveBetweenFiles() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1") + "---\n" + manifest("b", "172.16.0.2"))
        try folder.write("z.yaml", manifest("z", "172.16.0.9"))
        let (source, _) = try await MeshFileSource.open(path)
        // Between the two writes the object is in both files; whether that is seen depends on the time.
        try folder.write("z.yaml", manifest("z", "172.16.0.9") + "---\n" + manifest("b", "172.16.0.2"))
        try folder.write("a.yaml", manifest("a", "172.16.0.1") + "---\n" + manifest("d", "172.16.0.4"))
        var event = try await nextEvent(source)
        if case .failed(let error) = event {
            #expect(error.message.contains("is also defined at"))
            event = try await nextEvent(source)
        }
        guard case .update(let update) = event else { throw Unexpected(what: "\(event)") }
        #expect(names(update) == ["+Service default/d.default.svc.cluster.local"])
        _ = unsafe rename("\(path)/a.yaml", "\(path)/b.yaml")
        source.reload()
        #expect(try await nextUpdate(source).changes.isEmpty)
    }

    @Test func aBadFileLeavesEverythingAsItWas() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        let (source, _) = try await MeshFileSource.open(path)
        try folder.write("bad.yaml", manifest("bad", "172.16.0.1"))
        #expect(
            try await nextFailure(source).description == "\(path)/bad.yaml:1: Service default/bad: "
                + "uses 172.16.0.1:80/TCP, as Service default/a does: change one of them")
        try folder.write(
            "bad.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: bad\nspec:\n  selectr: {}\n")
        #expect(
            try await nextFailure(source).description == "\(path)/bad.yaml:6: Service default/bad: "
                + "spec.selectr: Service has no such field; did you mean selector?")
        // As a whole: other changes wait for the repair, too.
        try folder.write("c.yaml", manifest("c", "172.16.0.3"))
        try folder.write("bad.yaml", "a: [\n")
        #expect(try await nextFailure(source).line == 2)
        try folder.write("bad.yaml", manifest("bad", "172.16.0.2"))
        let update = try await nextUpdate(source)
        #expect(
            names(update) == [
                "+Service default/bad.default.svc.cluster.local",
                "+Service default/c.default.svc.cluster.local",
            ])
    }

    @Test func theSameObjectTwiceIsAnError() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1") + "---\n" + manifest("a", "172.16.0.2"))
        let error = await #expect(throws: MeshFileError.self) { _ = try await MeshFileSource.open(path) }
        #expect(
            error?.description
                == "\(path)/a.yaml:12: Service default/a: is also defined at \(path)/a.yaml:1: "
                + "remove one of them")
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        try folder.write("b.yaml", manifest("a", "172.16.0.2"))
        let second = await #expect(throws: MeshFileError.self) { _ = try await MeshFileSource.open(path) }
        #expect(second?.path == "\(path)/b.yaml")
    }

    @Test func aSingleFileThatVanishesStaysInForce() async throws {
        let file = "\(path)/mesh.yaml"
        try folder.write("mesh.yaml", manifest("a", "172.16.0.1"))
        try folder.write("other.yaml", "][")
        let (source, _) = try await MeshFileSource.open(file)
        try Files.remove(file)
        #expect(try await nextFailure(source).description == "\(file): has vanished: put it back")
        try folder.write("mesh.yaml", "")
        #expect(try await nextFailure(source).message.contains("it would be empty"))
        try folder.write("new", manifest("a", "172.16.0.7"))
        _ = unsafe rename("\(path)/new", file)
        #expect(names(try await nextUpdate(source)) == ["+Service default/a.default.svc.cluster.local"])
    }

    @Test func emptinessMustBeAllowed() async throws {
        let error = await #expect(throws: MeshFileError.self) { _ = try await MeshFileSource.open(path) }
        #expect(error?.message.contains("--allow-empty") == true)
        var options = MeshFileOptions()
        options.allowEmpty = true
        let (source, first) = try await MeshFileSource.open(path, options: options)
        #expect(first.objectCount == 0)
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        #expect(try await nextUpdate(source).objectCount == 1)
        try Files.remove("\(path)/a.yaml")
        #expect(try await nextUpdate(source).objectCount == 0)
        let missing = await #expect(throws: MeshFileError.self) {
            _ = try await MeshFileSource.open("\(path)/none")
        }
        #expect(missing?.description == "\(path)/none: cannot be read: No such file or directory")
    }

    @Test func theLastFileOfADirectoryCannotVanish() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        let (source, _) = try await MeshFileSource.open(path)
        try Files.remove("\(path)/a.yaml")
        #expect(try await nextFailure(source).message.contains("it would be empty"))
        try folder.write("b.yaml", manifest("b", "172.16.0.2"))
        #expect(names(try await nextUpdate(source)).count == 2)
    }

    @Test func aConfigMapIsSwappedAsAWhole() async throws {
        for (version, address) in [("..1", "172.16.0.1"), ("..2", "172.16.0.2")] {
            try Files.makeDirectories("\(path)/\(version)")
            try folder.write("\(version)/mesh.yaml", manifest("a", address))
        }
        _ = unsafe symlink("..1", "\(path)/..data")
        _ = unsafe symlink("..data/mesh.yaml", "\(path)/mesh.yaml")
        let (whole, _) = try await MeshFileSource.open(path)
        let (single, _) = try await MeshFileSource.open("\(path)/mesh.yaml")
        _ = unsafe symlink("..2", "\(path)/..data_tmp")
        _ = unsafe rename("\(path)/..data_tmp", "\(path)/..data")
        for source in [whole, single] {
            let update = try await nextUpdate(source)
            guard case .upsert(.service(let service))? = update.changes.first else {
                throw Unexpected(what: "\(update)")
            }
            #expect(service.addresses.map(\.description) == ["172.16.0.2"])
        }
    }

    @Test func aFileBehindALinkIsWatched() async throws {
        try Files.makeDirectories("\(path)/elsewhere")
        try folder.write("elsewhere/real.yaml", manifest("a", "172.16.0.1"))
        _ = unsafe symlink("elsewhere/real.yaml", "\(path)/mesh.yaml")
        let (source, _) = try await MeshFileSource.open("\(path)/mesh.yaml")
        try folder.write("elsewhere/real.yaml", manifest("a", "172.16.0.2"))
        #expect(try await nextUpdate(source).changes.count == 1)
    }

    @Test func aDirectoryThatGoesAndComesBackIsFound() async throws {
        let inner = "\(path)/inner"
        try Files.makeDirectories(inner)
        try folder.write("inner/a.yaml", manifest("a", "172.16.0.1"))
        let (source, _) = try await MeshFileSource.open(inner)
        _ = unsafe rename(inner, "\(path)/away")
        #expect(try await nextFailure(source).message.contains("cannot be read"))
        try Files.makeDirectories("\(path)/new")
        try folder.write("new/a.yaml", manifest("a", "172.16.0.5"))
        _ = unsafe rename("\(path)/new", inner)
        #expect(try await nextUpdate(source).changes.count == 1)
    }

    @Test func aFileIsReadOnlyOnceItsWriterIsDone() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        let (source, _) = try await MeshFileSource.open(path)
        let text = Array(manifest("b", "172.16.0.2").utf8)
        do {
            let file = try FileDescriptor.open("\(path)/a.yaml", O_WRONLY | O_TRUNC)
            try file.write(Array(text[..<40]))
            try await Task.sleep(for: .milliseconds(60))
            try file.write(Array(text[40...]))
        }
        #expect(names(try await nextUpdate(source)).count == 2)
    }

    @Test func aFileThatIsNeverClosedIsRefusedAtTheStart() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        let file = try FileDescriptor.open("\(path)/a.yaml", O_WRONLY | O_APPEND)
        let error = await #expect(throws: MeshFileError.self) { _ = try await MeshFileSource.open(path) }
        #expect(error?.message.contains("keeps writing") == true)
        _ = consume file
        #expect(try await MeshFileSource.open(path).first.objectCount == 1)
    }

    @Test func whatIsNotGoodYetIsWatched() async throws {
        let file = "\(path)/later/a.yaml"
        let source = try MeshFileSource.watch(file)
        defer { source.close() }
        #expect(try await nextFailure(source).description.contains("\(file): cannot be read"))
        source.reload()
        #expect(try await nextFailure(source).description.contains("\(file): cannot be read"))
        try Files.makeDirectories("\(path)/later")
        try folder.write("a.yaml", "- [")
        _ = unsafe rename("\(path)/a.yaml", file)
        #expect(try await nextFailure(source).path == file)
        try folder.write("later/a.yaml", manifest("a", "172.16.0.1"))
        #expect(names(try await nextUpdate(source)) == ["+Service default/a.default.svc.cluster.local"])
        try folder.write("later/a.yaml", manifest("b", "172.16.0.2"))
        #expect(names(try await nextUpdate(source)).count == 2)
    }

    @Test func whatIsGoodAtOnceComesFirstAndWhole() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        try folder.write("b.yaml", manifest("b", "172.16.0.2"))
        let source = try MeshFileSource.watch(path)
        defer { source.close() }
        #expect(names(try await nextUpdate(source)).count == 2)
    }

    @Test func aBadFileOfManyHoldsUpTheWhole() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        try folder.write("b.yaml", "- [")
        let source = try MeshFileSource.watch(path)
        defer { source.close() }
        #expect(try await nextFailure(source).path == "\(path)/b.yaml")
        try folder.write("b.yaml", manifest("b", "172.16.0.2"))
        #expect(names(try await nextUpdate(source)).count == 2)
    }

    @Test func manyQuickChangesLoseNothing() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        let (source, _) = try await MeshFileSource.open(path)
        let file = "\(path)/a.yaml"
        let folder = path
        let writer = Task {
            for index in 1...500 {
                let text = Array(manifest("a", "172.16.\(index / 250).\(1 + index % 250)").utf8)
                if index % 2 == 0 {
                    let descriptor = try FileDescriptor.open(file, O_WRONLY | O_TRUNC)
                    try descriptor.write(text)
                } else {
                    try Files.replace("\(folder)/.a", with: text)
                    _ = unsafe rename("\(folder)/.a", file)
                }
            }
        }
        var last = ""
        while last != "172.16.2.1" {
            for change in try await nextUpdate(source).changes {
                guard case .upsert(.service(let service)) = change else { continue }
                last = service.addresses.first?.description ?? ""
            }
        }
        try await writer.value
    }

    @Test func aCancelledTaskStopsWaiting() async throws {
        try folder.write("a.yaml", manifest("a", "172.16.0.1"))
        let (source, _) = try await MeshFileSource.open(path)
        let waiting = Task { await source.next() == nil }
        try await Task.sleep(for: .milliseconds(20))
        waiting.cancel()
        #expect(await waiting.value)
        source.reload()
        #expect(try await nextUpdate(source).changes.isEmpty)
    }
}
