/// Finds function bodies and how many lines are between their braces.

struct FunctionBody: Hashable, Sendable {
    let name: String
    /// Of the declaration.
    let line: Int
    let lineCount: Int
}

/// Bodies of functions, initializers, subscripts and computed variables, nested ones too.
func swiftBodies(_ tokens: [Token]) -> [FunctionBody] {
    let closings = matchingBraces(tokens)
    return tokens.indices.compactMap { index in
        guard declaresBody(tokens, at: index), let open = bodyStart(tokens, declaredAt: index),
            let close = closings[open]
        else { return nil }
        let keyword = tokens[index].text
        let name = keyword == "func" || keyword == "var" ? tokens.text(at: index + 1) ?? keyword : keyword
        return FunctionBody(
            name: name, line: tokens[index].line,
            lineCount: max(0, tokens[close].line - tokens[open].line - 1))
    }
}

private func declaresBody(_ tokens: [Token], at index: Int) -> Bool {
    let next = tokens.text(at: index + 1)
    switch tokens[index].text {
    case "func", "var": return true
    case "deinit": return next == "{"
    case "init", "subscript":
        // `.init(` calls one.
        return tokens.text(at: index - 1) != "." && ["(", "<", "?", "!"].contains(next)
    default: return false
    }
}

/// The brace that opens the body; `nil` for a requirement of a protocol or a stored variable.
private func bodyStart(_ tokens: [Token], declaredAt declaration: Int) -> Int? {
    let isVariable = tokens[declaration].text == "var"
    var depth = 0
    for index in tokens.indices.dropFirst(declaration + 1) {
        let token = tokens[index]
        if isVariable, token.line != tokens[declaration].line { return nil }
        switch token.text {
        case "(", "[": depth += 1
        case ")", "]": depth -= 1
        case "{" where depth == 0: return index
        case "=" where depth == 0 && isVariable: return nil
        case "}" where depth == 0, ";" where depth == 0: return nil
        case let word where depth == 0 && endsRequirement.contains(word): return nil
        default: break
        }
        if depth < 0 { return nil }
    }
    return nil
}

/// What can follow a requirement without a body, in a protocol or a list of them.
private let endsRequirement: Set<String> = [
    "func", "var", "let", "init", "subscript", "case", "associatedtype", "typealias", "struct", "class",
    "enum",
    "actor", "extension", "protocol", "import",
]

/// Where the brace that opens at a position closes.
private func matchingBraces(_ tokens: [Token]) -> [Int: Int] {
    var closings: [Int: Int] = [:]
    var open: [Int] = []
    for (index, token) in tokens.enumerated() {
        if token.text == "{" { open.append(index) }
        if token.text == "}", let start = open.popLast() { closings[start] = index }
    }
    return closings
}

/// In kernel style a body's braces, and no others, stand alone in the first column.
func cBodies(_ file: SourceFile) -> [FunctionBody] {
    var bodies: [FunctionBody] = []
    var start: Int?
    for (number, text) in file.numberedLines {
        if text == "{" { start = number }
        if text == "}", let line = start {
            bodies.append(FunctionBody(name: "the function", line: line, lineCount: number - line - 1))
            start = nil
        }
    }
    return bodies
}
