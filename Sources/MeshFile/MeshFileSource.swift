/// A file or directory of Kubernetes objects as the mesh's configuration, watched for changes.
///
/// In a directory every `*.yaml`, `*.yml` and `*.json` counts that is not hidden; its directories do not.
/// A file that cannot be taken leaves the whole configuration as it was, until it is repaired.
internal import KmeshKit

public final class MeshFileSource: Sendable {
    private let mailbox: MeshFileMailbox

    /// Loads `path` and begins to watch it. Fails when it cannot be taken as it is.
    public static func open(
        _ path: String, options: MeshFileOptions = MeshFileOptions()
    ) async throws(MeshFileError) -> (source: MeshFileSource, first: MeshUpdate) {
        let mailbox = try startThread(path, options, isPatient: false)
        switch await mailbox.next() {
        case .update(let update): return (MeshFileSource(mailbox), update)
        case .failed(let error):
            mailbox.close()
            throw error
        case nil:
            mailbox.close()
            throw MeshFileError(path: path, message: "loading was cancelled")
        }
    }

    /// Begins to load and to watch `path`, which need not be good yet, nor be there. The first update has all
    /// that is in it.
    public static func watch(
        _ path: String, options: MeshFileOptions = MeshFileOptions()
    ) throws(MeshFileError) -> MeshFileSource {
        MeshFileSource(try startThread(path, options, isPatient: true))
    }

    private static func startThread(
        _ path: String, _ options: MeshFileOptions, isPatient: Bool
    ) throws(MeshFileError) -> MeshFileMailbox {
        do throws(Errno) {
            let mailbox = try MeshFileMailbox()
            try DedicatedThread.start("mesh-file") {
                MeshFileWorker.run(path, options: options, mailbox: mailbox, isPatient: isPatient)
            }
            return mailbox
        } catch {
            throw MeshFileError(path: path, message: "cannot watch: \(error)")
        }
    }

    private init(_ mailbox: MeshFileMailbox) {
        self.mailbox = mailbox
    }

    deinit {
        mailbox.close()
    }

    /// The next update or failure; `nil` once closed or when the task is cancelled. For one task at a time.
    public func next() async -> MeshFileEvent? { await mailbox.next() }

    /// Reads all files again. An event follows in any case.
    public func reload() { mailbox.requestReload() }

    /// Ends watching.
    public func close() { mailbox.close() }
}
