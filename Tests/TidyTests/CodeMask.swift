/// Blanks comments and the contents of string literals, so that the rules look at code only.

enum SourceLanguage: Sendable {
    case swift, c
}

/// The same number of bytes and lines: what is not code becomes spaces. Code inside `\(…)` stays.
func maskComments(in bytes: [UInt8], language: SourceLanguage) -> [UInt8] {
    var mask = CodeMask(bytes: bytes, language: language)
    mask.scanCode(endsAtParenthesis: false)
    return mask.output
}

/// Bare `/regex/` literals are not recognized: a quote or brace in one would mislead the rules.
private struct CodeMask {
    let bytes: [UInt8]
    let language: SourceLanguage
    var output: [UInt8]
    var position = 0

    init(bytes: [UInt8], language: SourceLanguage) {
        self.bytes = bytes
        self.language = language
        output = bytes
    }

    /// Reads code to the end of the file, or to the parenthesis that closes an interpolation.
    mutating func scanCode(endsAtParenthesis: Bool) {
        var depth = 0
        while let byte = peek() {
            if starts("//") {
                while let next = peek(), next != newline { blank(next) }
            } else if starts("/*") {
                blankBlockComment()
            } else if let hashes = stringStart() {
                scanString(hashes: hashes)
            } else if language == .c, byte == UInt8(ascii: "'") {
                scanCharacter()
            } else {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
                position += 1
                if endsAtParenthesis, depth == 0 { return }
            }
        }
    }

    /// Swift's block comments nest, those of C end at the first `*/`.
    private mutating func blankBlockComment() {
        var depth = 0
        while let byte = peek() {
            if starts("/*"), depth == 0 || language == .swift {
                depth += 1
                blank(byte)
            } else if starts("*/") {
                depth -= 1
                blank(byte)
            }
            if let second = peek() { blank(second) }
            if depth == 0 { return }
        }
    }

    /// The number of `#` before the quote when a string literal starts here.
    private func stringStart() -> Int? {
        var hashes = 0
        while language == .swift, peek(hashes) == UInt8(ascii: "#") { hashes += 1 }
        return peek(hashes) == quote ? hashes : nil
    }

    private mutating func scanString(hashes: Int) {
        position += hashes
        let isMultiline = language == .swift && starts("\"\"\"")
        let closing = (isMultiline ? "\"\"\"" : "\"") + String(repeating: "#", count: hashes)
        let escape = "\\" + String(repeating: "#", count: hashes)
        position += isMultiline ? 3 : 1
        while let byte = peek() {
            if starts(closing) {
                position += closing.utf8.count
                return
            }
            // An unterminated literal ends with its line: the compiler complains, the rules go on.
            if byte == newline, !isMultiline { return }
            guard starts(escape) else {
                blank(byte)
                continue
            }
            for _ in 0..<escape.utf8.count { blank(UInt8(ascii: "\\")) }
            guard let escaped = peek() else { return }
            if language == .swift, escaped == UInt8(ascii: "(") {
                scanCode(endsAtParenthesis: true)
            } else {
                blank(escaped)
            }
        }
    }

    private mutating func scanCharacter() {
        position += 1
        while let byte = peek(), byte != newline {
            if byte == UInt8(ascii: "'") {
                position += 1
                return
            }
            blank(byte)
            if byte == UInt8(ascii: "\\"), let escaped = peek() { blank(escaped) }
        }
    }

    private func peek(_ offset: Int = 0) -> UInt8? {
        position + offset < bytes.count ? bytes[position + offset] : nil
    }

    private func starts(_ text: String) -> Bool { bytes[position...].starts(with: text.utf8) }

    private mutating func blank(_ byte: UInt8) {
        if byte != newline { output[position] = UInt8(ascii: " ") }
        position += 1
    }
}

private let quote = UInt8(ascii: "\"")
private let newline = UInt8(ascii: "\n")
