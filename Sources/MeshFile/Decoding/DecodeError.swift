/// Why a document is no object of the mesh, and where.
public struct DecodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Counted from 1.
    public var line: Int
    public var message: String

    public var description: String { "line \(line): \(message)" }
}
