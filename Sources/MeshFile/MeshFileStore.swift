// The files that are in force, and the step from them to other content.
internal import KmeshKit
internal import KmeshYAML

/// What one file holds.
struct FileContents {
    var objects: [(object: Kubernetes.Object, line: UInt32)] = []
    var skippedKinds: [String: Int] = [:]
}

struct MeshFileStore {
    private struct LoadedFile {
        var id: UInt32
        var keys: [Kubernetes.ObjectKey]
        var skippedKinds: [String: Int]
    }

    /// Objects of one file and of all files together.
    private static let objectLimit = 4_000_000

    private let root: String
    private let options: MeshFileOptions
    private var translator: MeshTranslator
    private var decoder = ObjectDecoder()
    private var files: [String: LoadedFile] = [:]
    private var paths: [UInt32: String] = [:]
    private var nextID: UInt32 = 1
    private var skippedKinds: [String: Int] = [:]
    private var objectCount = 0

    /// `root` is what messages about the whole configuration name.
    init(root: String, options: MeshFileOptions) {
        self.root = root
        self.options = options
        translator = MeshTranslator(
            clusterDomain: options.clusterDomain, rootNamespace: options.rootNamespace)
    }

    var loadedPaths: some Collection<String> { files.keys }

    // MARK: Reading

    /// Reads and decodes a file; changes nothing but what texts are shared.
    mutating func read(_ path: String, descriptor: Int32) throws(MeshFileError) -> FileContents {
        var reader = YAMLReader(descriptor: descriptor)
        return try contents(of: &reader, path: path)
    }

    mutating func contents(of reader: inout YAMLReader, path: String) throws(MeshFileError) -> FileContents {
        var contents = FileContents()
        while true {
            let node: YAMLNode
            do throws(YAMLError) {
                guard let next = try reader.next() else { break }
                node = next
            } catch {
                throw MeshFileError(path: path, line: error.line, message: error.message)
            }
            do throws(DecodeError) {
                switch try decoder.decode(node) {
                case .object(let object):
                    contents.objects.append((object, UInt32(clamping: node.line)))
                case .skipped(let kind): contents.skippedKinds[kind, default: 0] += 1
                }
            } catch {
                throw MeshFileError(path: path, line: error.line, message: error.message)
            }
            guard contents.objects.count <= Self.objectLimit else {
                throw MeshFileError(path: path, message: "more than \(Self.objectLimit) objects")
            }
        }
        if reader.endsInsideLine {
            throw MeshFileError(
                path: path, message: "ends inside a line, as a file does that was cut: end it with a line end"
            )
        }
        return contents
    }

    // MARK: Applying

    /// Replaces what the files of `read` held and drops those of `gone`, as one step.
    mutating func apply(_ read: [String: FileContents], gone: Set<String>) throws(MeshFileError) -> MeshUpdate
    {
        var newIDs: [String: UInt32] = [:]
        for path in read.keys.sorted() {
            newIDs[path] = files[path]?.id ?? nextID
            if files[path] == nil {
                paths[nextID] = path
                nextID += 1
            }
        }
        do throws(MeshFileError) {
            return try apply(read, gone: gone, ids: newIDs)
        } catch {
            for (path, id) in newIDs where files[path] == nil { paths[id] = nil }
            throw error
        }
    }

    private mutating func apply(
        _ read: [String: FileContents], gone: Set<String>, ids: [String: UInt32]
    ) throws(MeshFileError) -> MeshUpdate {
        let replaced = gone.union(read.keys)
        var changes: [ObjectChange] = []
        let claims = try claim(read, ids: ids, replaced: replaced, into: &changes)
        var count = objectCount + claims.count
        for path in replaced.sorted() {
            guard let file = files[path] else { continue }
            count -= file.keys.count
            for key in file.keys where claims[key] == nil { changes.append(.remove(key)) }
        }
        guard count > 0 || options.allowEmpty else {
            throw MeshFileError(
                path: root,
                message: "no object of the mesh: it would be empty; pass --allow-empty if that is meant")
        }
        let translation: Translation
        do throws(TranslationError) {
            translation = try translator.apply(changes)
        } catch {
            throw MeshFileError(
                path: paths[error.origin.file] ?? root, line: Int(error.origin.line),
                message: error.description)
        }
        objectCount = count
        for path in replaced { replace(path, with: read[path], id: ids[path]) }
        return MeshUpdate(
            changes: translation.changes, warnings: translation.warnings.map { "\(place($0.origin)): \($0)" },
            skippedKinds: skippedKinds, fileCount: files.count, objectCount: objectCount)
    }

    /// Whose each object is. One that two places define is an error.
    private func claim(
        _ read: [String: FileContents], ids: [String: UInt32], replaced: Set<String>,
        into changes: inout [ObjectChange]
    ) throws(MeshFileError) -> [Kubernetes.ObjectKey: Kubernetes.Origin] {
        var claims: [Kubernetes.ObjectKey: Kubernetes.Origin] = [:]
        let total = read.values.reduce(0) { $0 + $1.objects.count }
        claims.reserveCapacity(total)
        changes.reserveCapacity(total)
        for path in read.keys.sorted() {
            guard let contents = read[path], let id = ids[path] else { continue }
            for (object, line) in contents.objects {
                let key = object.key
                let origin = Kubernetes.Origin(file: id, line: line)
                let other = claims.updateValue(origin, forKey: key) ?? outsider(key, replaced)
                if let other {
                    throw MeshFileError(
                        path: path, line: Int(line),
                        message: "\(key): is also defined at \(place(other)): remove one of them")
                }
                changes.append(.upsert(object, origin))
            }
        }
        return claims
    }

    /// Where the object is in force from a file that stays as it is.
    private func outsider(_ key: Kubernetes.ObjectKey, _ replaced: Set<String>) -> Kubernetes.Origin? {
        guard let origin = translator.origin(of: key), let path = paths[origin.file], !replaced.contains(path)
        else { return nil }
        return origin
    }

    private mutating func replace(_ path: String, with contents: FileContents?, id: UInt32?) {
        if let old = files[path] {
            for (kind, count) in old.skippedKinds {
                let left = skippedKinds[kind, default: 0] - count
                skippedKinds[kind] = left > 0 ? left : nil
            }
        }
        guard let contents, let id else {
            if let old = files.removeValue(forKey: path) { paths[old.id] = nil }
            return
        }
        skippedKinds.merge(contents.skippedKinds) { $0 + $1 }
        files[path] = LoadedFile(
            id: id, keys: contents.objects.map(\.object.key), skippedKinds: contents.skippedKinds)
    }

    private func place(_ origin: Kubernetes.Origin) -> String {
        "\(paths[origin.file] ?? root):\(origin.line)"
    }
}
