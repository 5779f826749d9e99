/// One file of the repository, as the rules see it.
struct SourceFile: Sendable {
    /// Relative to the repository's root.
    let path: String
    let bytes: [UInt8]
    let isExecutable: Bool

    init(path: String, bytes: [UInt8], isExecutable: Bool = false) {
        self.path = path
        self.bytes = bytes
        self.isExecutable = isExecutable
    }

    /// An example for the test of a rule.
    init(_ path: String, _ text: String, isExecutable: Bool = false) {
        self.init(path: path, bytes: Array(text.utf8), isExecutable: isExecutable)
    }

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
    var isSwift: Bool { path.hasSuffix(".swift") }
    var isC: Bool { path.hasSuffix(".c") || path.hasSuffix(".h") }
    var isMarkdown: Bool { path.hasSuffix(".md") }
    var isScript: Bool { bytes.starts(with: Array("#!".utf8)) }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether the path starts with one of `folders`, each written with its final slash.
    func isIn(_ folders: [String]) -> Bool { folders.contains { path.hasPrefix($0) } }
    func isIn(_ folder: String) -> Bool { path.hasPrefix(folder) }

    var lines: [Substring] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    /// Numbered from 1, as editors do.
    var numberedLines: [(number: Int, text: Substring)] {
        lines.enumerated().map { (number: $0.offset + 1, text: $0.element) }
    }

    /// The words and signs of the code, without comments and without the contents of strings.
    var tokens: [Token] { tokenize(maskComments(in: bytes, language: isSwift ? .swift : .c)) }

    func violation(line: Int, _ message: String) -> Violation {
        Violation(path: path, line: line, message: message)
    }
}

struct Violation: Hashable, Sendable, CustomStringConvertible {
    let path: String
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}
