/// Why mesh files are not taken: the place, the object and the remedy. The running configuration stays.
public struct MeshFileError: Error, Hashable, Sendable, CustomStringConvertible {
    public var path: String
    /// Counted from 1; `nil` when the whole file is meant.
    public var line: Int?
    public var message: String

    public init(path: String, line: Int? = nil, message: String) {
        self.path = path
        self.line = line
        self.message = message
    }

    public var description: String {
        line.map { "\(path):\($0): \(message)" } ?? "\(path): \(message)"
    }
}
