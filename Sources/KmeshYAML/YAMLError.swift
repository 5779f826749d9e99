/// Why a YAML or JSON text cannot be read, and where.
public struct YAMLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Counted from 1.
    public var line: Int
    public var message: String

    public init(line: Int, message: String) {
        self.line = line
        self.message = message
    }

    public var description: String { "line \(line): \(message)" }
}

/// What one document, or one item of a List, may ask of this process.
public struct YAMLLimits: Hashable, Sendable {
    /// Mappings and sequences inside each other.
    public var depth = 128
    /// Scalars, mappings and sequences; what an alias stands for counts each time.
    public var nodes = 500_000
    public var scalarBytes = 2 << 20
    /// All scalars together.
    public var textBytes = 16 << 20
    /// Bytes read without coming to the next value. Bounds what the scanner buffers of one scalar.
    public var stepBytes = 4 << 20
    /// Nodes kept under anchors, of one document.
    public var anchoredNodes = 50_000

    public init() {}
}
