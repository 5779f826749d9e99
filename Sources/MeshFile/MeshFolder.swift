// Which mesh files there are and which of them have changed, as the kernel tells it.
internal import Glibc
internal import KmeshKit

/// A directory of mesh files, or the directory around a single one.
struct MeshFolder: ~Copyable {
    enum Outcome {
        case nothing, changed
        /// Only a file that was moved away, which may come back at once.
        case movedAway
    }

    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF
            | IN_MOVE_SELF | IN_ONLYDIR)

    let path: String
    let isDirectory: Bool
    private let directory: String
    /// The one file's name when this is no directory.
    private let single: String?
    private let inotify: Inotify
    private var main: Inotify.Watch?
    /// The directory that a single file's symbolic link leads to, and the name there.
    private var target: (watch: Inotify.Watch, name: String)?
    private var changed: Set<String> = []
    private var isAllChanged = false
    /// Files that somebody has written to and not closed since.
    private var writing: Set<String> = []
    /// Files that somebody has written to since `changedPaths`.
    private var touched: Set<String> = []

    /// `isLost` when the directory cannot be watched.
    init(_ path: String) throws(MeshFileError) {
        let isDirectory = try Self.isDirectory(path)
        inotify = try Self.watcher(path)
        self.path = path
        self.isDirectory = isDirectory
        let slash = path.lastIndex(of: "/")
        if isDirectory {
            single = nil
            directory = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        } else {
            single = slash.map { String(path[path.index(after: $0)...]) } ?? path
            directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        }
        _ = watchAgain()
    }

    private static func isDirectory(_ path: String) throws(MeshFileError) -> Bool {
        do throws(Errno) {
            return try FileStatus(path: path).kind == .directory
        } catch {
            throw MeshFileError(path: path, message: "cannot be read: \(error)")
        }
    }

    private static func watcher(_ path: String) throws(MeshFileError) -> Inotify {
        do throws(Errno) {
            return try Inotify()
        } catch {
            throw MeshFileError(path: path, message: "cannot watch: \(error)")
        }
    }

    var descriptor: Int32 { inotify.descriptor }

    /// Whether the directory itself is gone.
    var isLost: Bool { main == nil }

    // MARK: What changed

    mutating func markAll() { isAllChanged = true }

    mutating func mark(_ paths: Set<String>) { changed.formUnion(paths) }

    /// Takes note of a writer that the kernel's events have not told of yet.
    mutating func markTorn(_ path: String) {
        touched.insert(path)
        changed.insert(path)
    }

    /// Whether a changed file waits for its writer.
    var hasWriters: Bool { !changed.isDisjoint(with: writing) }

    /// Whether somebody has written to one of `paths` since `changedPaths`.
    func isTorn(anyOf paths: Set<String>) -> Bool {
        !writing.isDisjoint(with: paths) || !touched.isDisjoint(with: paths)
    }

    /// The paths that changed since the last call, without those being written to.
    mutating func changedPaths(loaded: some Collection<String>) throws(MeshFileError) -> Set<String> {
        if isAllChanged {
            changed = Set(loaded).union(try list())
            isAllChanged = false
        }
        touched = []
        let ready = changed.subtracting(writing)
        changed.subtract(ready)
        return ready
    }

    private func list() throws(MeshFileError) -> [String] {
        if let single { return [join(single)] }
        do throws(Errno) {
            let files = try Files.list(directory).filter { Self.isMeshFile($0) }.map { join($0) }
            return files.filter { (try? FileStatus(path: $0).kind) != .directory }
        } catch {
            throw MeshFileError(path: directory, message: "cannot be read: \(error)")
        }
    }

    private static func isMeshFile(_ name: String) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    private func join(_ name: String) -> String {
        if single != nil { return path }
        return directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }

    // MARK: Events

    /// Takes what the kernel has to tell; does not wait.
    mutating func gather() throws(Errno) -> Outcome {
        if isLost, !watchAgain() { return .nothing }
        var outcome = isAllChanged ? Outcome.changed : .nothing
        for event in try inotify.drain() {
            switch note(event) {
            case .nothing: continue
            case .changed: outcome = .changed
            case .movedAway: if outcome == .nothing { outcome = .movedAway }
            }
        }
        return outcome
    }

    private mutating func note(_ event: Inotify.Event) -> Outcome {
        guard let watch = event.watch else {
            // After lost events nobody knows who writes.
            writing = []
            isAllChanged = true
            return .changed
        }
        if event.has(IN_IGNORED) || event.has(IN_DELETE_SELF) || event.has(IN_MOVE_SELF) {
            return lose(watch)
        }
        // The link through which Kubernetes swaps all files of a ConfigMap at once.
        if event.name == "..data" {
            guard event.has(IN_MOVED_TO) || event.has(IN_CREATE) else { return .nothing }
            watchTarget()
            isAllChanged = true
            return .changed
        }
        if event.has(IN_ISDIR) { return .nothing }
        let isTarget = watch == target?.watch && event.name == target?.name
        let isMain = watch == main && single.map { $0 == event.name } ?? Self.isMeshFile(event.name)
        guard isMain || isTarget else { return .nothing }
        let file = join(event.name)
        if isMain, single != nil, event.has(IN_MOVED_TO) || event.has(IN_CREATE) { watchTarget() }
        return note(event, file)
    }

    private mutating func note(_ event: Inotify.Event, _ file: String) -> Outcome {
        if event.has(IN_MODIFY) {
            writing.insert(file)
            touched.insert(file)
            return .nothing
        }
        if event.has(IN_CREATE) {
            // A link is complete at once; a file is when its writer closes it.
            guard let status = try? FileStatus(path: file, followsLinks: false) else { return .nothing }
            if status.kind == .regular, status.linkCount == 1 { return .nothing }
        }
        writing.remove(file)
        changed.insert(file)
        return event.has(IN_MOVED_FROM) ? .movedAway : .changed
    }

    private mutating func lose(_ watch: Inotify.Watch) -> Outcome {
        if watch == target?.watch { target = nil }
        guard watch == main else { return .nothing }
        inotify.remove(watch)
        main = nil
        isAllChanged = true
        return .changed
    }

    /// Whether the directory is there again.
    private mutating func watchAgain() -> Bool {
        guard let watch = try? inotify.add(directory, mask: Self.mask) else { return false }
        main = watch
        isAllChanged = true
        watchTarget()
        return true
    }

    /// Follows a single file's symbolic link into another directory.
    private mutating func watchTarget() {
        guard single != nil else { return }
        if let old = target.take(), old.watch != main { inotify.remove(old.watch) }
        guard let real = try? Files.realPath(path), let slash = real.lastIndex(of: "/"), real != path,
            let watch = try? inotify.add(String(real[..<slash]) + "/", mask: Self.mask)
        else { return }
        target = (watch, String(real[real.index(after: slash)...]))
    }
}
