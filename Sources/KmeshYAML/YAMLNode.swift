/// A YAML or JSON value with the line it starts on.
public struct YAMLNode: Hashable, Sendable {
    public enum Value: Hashable, Sendable {
        /// `isPlain`: written without quotes, so that `null`, `true` and `8080` have their YAML meaning.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        /// In the order of the file; a duplicate key is a parse error.
        case mapping([YAMLEntry])
    }

    /// Counted from 1.
    public var line: Int
    public var value: Value

    public init(line: Int, value: Value) {
        self.line = line
        self.value = value
    }
}

public struct YAMLEntry: Hashable, Sendable {
    public var key: String
    public var line: Int
    public var node: YAMLNode

    public init(key: String, line: Int, node: YAMLNode) {
        self.key = key
        self.line = line
        self.node = node
    }
}
