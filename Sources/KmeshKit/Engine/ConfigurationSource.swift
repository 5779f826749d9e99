/// Where a mesh's configuration comes from: files, or a control plane.
public protocol ConfigurationSource: Sendable {
    /// For people, as they named it: the path of the mesh file.
    var name: String { get }

    /// Reads the whole configuration for the first time. An error here ends the start.
    func start() async throws(ConfigurationError) -> ConfigurationUpdate

    /// In the place of `start`, for who has something to go on with: begins to read and returns. `next` then
    /// returns the whole configuration as the first one; until it is good, it throws what is wrong.
    func begin() throws(ConfigurationError)

    /// Waits for the next change; `nil` once the task is cancelled. An error is thrown once for each reading
    /// that failed and leaves the configuration as it was; the source goes on, so the caller asks again.
    func next() async throws(ConfigurationError) -> ConfigurationUpdate?

    /// Wants everything read again now. `next` then returns or throws, also when nothing changed.
    func reload()
}

/// One step from a whole configuration to the next.
public struct ConfigurationUpdate: Equatable, Sendable {
    public var changes: [ResourceChange<MeshResource>]
    /// What people should know of, though it is no error: how many objects of which kinds were skipped.
    public var notes: [String]

    public init(changes: [ResourceChange<MeshResource>], notes: [String] = []) {
        self.changes = changes
        self.notes = notes
    }
}

/// A configuration that cannot be used, with everything that is wrong with it.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Each names the file and line, or the object.
    public let problems: [String]

    public init(_ problems: [String]) {
        self.problems = problems
    }

    public var description: String { problems.joined(separator: "\n") }
}
