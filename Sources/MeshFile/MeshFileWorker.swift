// The thread that watches and reads mesh files.
internal import KmeshKit

/// Lives on its thread and never waits for anything but the kernel.
final class MeshFileWorker {
    private let options: MeshFileOptions
    private let mailbox: MeshFileMailbox
    private var folder: MeshFolder
    private var store: MeshFileStore
    private let clock = ContinuousClock()
    /// When to read what changed; `nil` when nothing did.
    private var deadline: ContinuousClock.Instant?
    /// What could not be taken, to be read again with the next change.
    private var refused: Set<String> = []
    private var lastFailure: MeshFileError?
    private var mustReport = false

    /// - Parameter isPatient: a path that cannot be taken at first is watched like one that became so.
    static func run(_ path: String, options: MeshFileOptions, mailbox: MeshFileMailbox, isPatient: Bool) {
        do throws(MeshFileError) {
            guard !isPatient else {
                guard let worker = awaitPath(path, options, mailbox) else { return }
                worker.loadFirstOrReport()
                return worker.watch()
            }
            let worker = try MeshFileWorker(path, options: options, mailbox: mailbox)
            try worker.loadFirst()
            worker.watch()
        } catch {
            mailbox.post(.failed(error))
        }
    }

    /// Waits until the path is there; `nil` once closed.
    private static func awaitPath(
        _ path: String, _ options: MeshFileOptions, _ mailbox: MeshFileMailbox
    ) -> MeshFileWorker? {
        var lastFailure: MeshFileError?
        while true {
            let commands = mailbox.commands()
            if commands.isClosed { return nil }
            if commands.wantsReload { lastFailure = nil }
            do throws(MeshFileError) {
                return try MeshFileWorker(path, options: options, mailbox: mailbox)
            } catch {
                if commands.isFree, error != lastFailure {
                    mailbox.post(.failed(error))
                    lastFailure = error
                }
            }
            _ = try? Poll.readable([mailbox.descriptor], timeout: .milliseconds(200))
        }
    }

    private init(_ path: String, options: MeshFileOptions, mailbox: MeshFileMailbox) throws(MeshFileError) {
        self.options = options
        self.mailbox = mailbox
        folder = try MeshFolder(path)
        if folder.isLost { throw MeshFileError(path: path, message: "cannot watch its directory") }
        store = MeshFileStore(root: path, options: options)
    }

    private func loadFirst() throws(MeshFileError) {
        folder.markAll()
        let limit = clock.now + .seconds(2)
        while true {
            if mailbox.commands().isClosed { return }
            if let update = try attempt(Set(), isFirst: true) {
                Files.releaseUnusedMemory()
                mailbox.post(.update(update))
                return
            }
            // Somebody writes a file: wait until they close it.
            try waitForChange(timeout: .milliseconds(10))
            guard clock.now < limit else {
                throw MeshFileError(
                    path: folder.path, message: "somebody keeps writing to it: let them end first")
            }
        }
    }

    private func loadFirstOrReport() {
        do throws(MeshFileError) {
            try loadFirst()
        } catch {
            report(error)
            // Whatever changes then, everything is read.
            folder.markAll()
        }
    }

    private func watch() {
        while true {
            let commands = mailbox.commands()
            if commands.isClosed { return }
            if commands.wantsReload {
                folder.markAll()
                mustReport = true
                deadline = clock.now
            }
            if commands.isFree, let due = deadline, due <= clock.now {
                deadline = nil
                step()
                continue
            }
            // With an event that nobody has taken there is nothing to do until it is taken.
            let timeout = commands.isFree ? deadline.map { $0 - clock.now } : nil
            do throws(MeshFileError) {
                try waitForChange(timeout: timeout ?? (folder.isLost ? .milliseconds(200) : nil))
            } catch {
                return end(error)
            }
        }
    }

    /// Without the kernel's events there is nothing to watch. Tells so once the last event is taken.
    private func end(_ error: MeshFileError) {
        while true {
            let commands = mailbox.commands()
            if commands.isClosed { return }
            if commands.isFree { return mailbox.post(.failed(error)) }
            _ = try? Poll.readable([mailbox.descriptor], timeout: .seconds(1))
        }
    }

    private func waitForChange(timeout: Duration?) throws(MeshFileError) {
        do throws(Errno) {
            _ = try Poll.readable([folder.descriptor, mailbox.descriptor], timeout: timeout)
        } catch {
            throw MeshFileError(path: folder.path, message: "cannot watch: \(error)")
        }
        switch try gather() {
        case .nothing: break
        case .changed: schedule(after: options.debounce)
        case .movedAway: schedule(after: options.moveGrace)
        }
    }

    /// The first change sets the time, so that a stream of changes cannot put it off.
    private func schedule(after delay: Duration) {
        let due = clock.now + delay
        deadline = min(deadline ?? due, due)
    }

    private func step() {
        do throws(MeshFileError) {
            guard let update = try attempt(refused, isFirst: false) else {
                // The writer's next event sets the time; this is for one that says nothing more.
                schedule(after: .milliseconds(500))
                return
            }
            // That a refused configuration is repaired is news, also when it is the one from before.
            let isNews = mustReport || lastFailure != nil
            refused = []
            lastFailure = nil
            if !update.changes.isEmpty || !update.warnings.isEmpty || isNews { mailbox.post(.update(update)) }
            mustReport = false
        } catch {
            report(error)
        }
    }

    /// The same failure again is news only when somebody asked.
    private func report(_ error: MeshFileError) {
        if error != lastFailure || mustReport { mailbox.post(.failed(error)) }
        lastFailure = error
        mustReport = false
    }

    /// Reads what changed and applies it; `nil` while a file of it is being written.
    private func attempt(_ earlier: Set<String>, isFirst: Bool) throws(MeshFileError) -> MeshUpdate? {
        let changed = try folder.changedPaths(loaded: store.loadedPaths).union(earlier)
        if folder.hasWriters, isFirst || changed.isEmpty {
            folder.mark(changed)
            return nil
        }
        do throws(MeshFileError) {
            var read: [String: FileContents] = [:]
            var gone: Set<String> = []
            do throws(MeshFileError) {
                for path in changed.sorted() {
                    if let contents = try contents(of: path) {
                        read[path] = contents
                    } else {
                        gone.insert(path)
                    }
                }
            } catch {
                // A file that was half written while it was read is no failure.
                if try isTorn(changed) { return nil }
                throw error
            }
            if try isTorn(changed) { return nil }
            return try store.apply(read, gone: gone)
        } catch {
            refused = changed
            throw error
        }
    }

    private func isTorn(_ paths: Set<String>) throws(MeshFileError) -> Bool {
        if try gather() != .nothing { schedule(after: options.debounce) }
        guard folder.isTorn(anyOf: paths) else { return false }
        folder.mark(paths)
        return true
    }

    private func gather() throws(MeshFileError) -> MeshFolder.Outcome {
        do throws(Errno) {
            return try folder.gather()
        } catch {
            throw MeshFileError(path: folder.path, message: "cannot watch: \(error)")
        }
    }

    /// `nil` when a file of a directory is gone.
    private func contents(of path: String) throws(MeshFileError) -> FileContents? {
        let file: FileDescriptor
        do throws(Errno) {
            file = try FileDescriptor.openRegular(path)
        } catch {
            if error == .noEntry, folder.isDirectory { return nil }
            if error == .noEntry {
                throw MeshFileError(path: path, message: "has vanished: put it back")
            }
            let what = error == .invalid ? "is no regular file" : "cannot be read: \(error)"
            throw MeshFileError(path: path, message: what)
        }
        do throws(MeshFileError) {
            let contents = try store.read(path, descriptor: file.number)
            noteWriter(of: file, path)
            return contents
        } catch {
            noteWriter(of: file, path)
            throw error
        }
    }

    /// A writer that truncates is seen by the reader a moment before the kernel tells of it.
    private func noteWriter(of file: borrowing FileDescriptor, _ path: String) {
        if file.hasWriters == true { folder.markTorn(path) }
    }
}
