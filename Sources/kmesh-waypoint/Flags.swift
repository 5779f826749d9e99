/// Command line flags without a library: each is declared once, and parsing, errors and help come from that.

/// A flag that sets something of `Values`.
struct Flag<Values>: Sendable {
    /// Without its dashes.
    let name: String
    /// Other names for the same.
    var aliases: [String] = []
    /// What the value is called in the help; `nil`: there is none.
    let placeholder: String?
    let help: String
    /// As the help shows it.
    var standard: String?
    var isRepeatable = false
    /// Checks the value and sets it. Throws what the value must be.
    let apply: @Sendable (inout Values, String) throws(FlagValueError) -> Void
}

/// What a flag's value must be: `a duration like 100ms, 5s or 1m`.
struct FlagValueError: Error, Hashable {
    let wanted: String

    init(_ wanted: String) { self.wanted = wanted }
}

struct FlagError: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

enum ParsedFlags<Values> {
    case run(Values)
    case help
    case version
}

struct FlagSet<Values>: Sendable {
    let flags: [Flag<Values>]

    /// Takes `--name value` and `--name=value`.
    func parse(_ arguments: [String], into values: Values) throws(FlagError) -> ParsedFlags<Values> {
        var values = values
        var given: Set<String> = []
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if word == "--help" || word == "-h" { return .help }
            if word == "--version" { return .version }
            guard word.hasPrefix("--"), word.utf8.count > 2 else {
                throw FlagError("unexpected argument '\(word)': only flags are taken, see --help")
            }
            let parts = word.dropFirst(2).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard let flag = flags.first(where: { $0.name == name || $0.aliases.contains(name) }) else {
                throw unknown(name)
            }
            if !flag.isRepeatable, !given.insert(flag.name).inserted {
                throw FlagError("--\(flag.name) is given twice")
            }
            try set(flag, parts.dropFirst().first.map(String.init), from: &rest, in: &values)
        }
        return .run(values)
    }

    private func set(
        _ flag: Flag<Values>, _ attached: String?, from rest: inout ArraySlice<String>,
        in values: inout Values
    ) throws(FlagError) {
        var value = attached
        if flag.placeholder == nil {
            if value != nil { throw FlagError("--\(flag.name) takes no value") }
        } else if value == nil {
            guard let next = rest.popFirst() else {
                throw FlagError("--\(flag.name) needs a value: <\(flag.placeholder ?? "")>")
            }
            value = next
        }
        do throws(FlagValueError) {
            try flag.apply(&values, value ?? "")
        } catch {
            throw FlagError("--\(flag.name): '\(value ?? "")' is not \(error.wanted)")
        }
    }

    private func unknown(_ name: String) -> FlagError {
        let known = flags.flatMap { [$0.name] + $0.aliases } + ["help", "version"]
        let nearest = known.min { distance($0, name) < distance($1, name) }
        let hint = nearest.map { distance($0, name) <= 3 ? "; did you mean --\($0)?" : "" } ?? ""
        return FlagError("unknown flag --\(name)\(hint)")
    }

    /// Names in one column, sentences in another, no line longer than `width`.
    func help(width: Int = 100) -> String {
        let column = 34
        var lines: [String] = []
        for flag in flags {
            let name = "  --\(flag.name)" + (flag.placeholder.map { " <\($0)>" } ?? "")
            let standard = flag.standard.map { " [default: \($0)]" } ?? ""
            let sentences = wrapped(flag.help + standard, to: width - column)
            let fits = name.utf8.count < column - 1
            if !fits { lines.append(name) }
            for (index, sentence) in sentences.enumerated() {
                let start = index == 0 && fits ? name : ""
                lines.append(start + String(repeating: " ", count: column - start.utf8.count) + sentence)
            }
        }
        return lines.joined(separator: "\n")
    }
}

private func wrapped(_ text: String, to width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
        if let last = lines.last, last.utf8.count + word.utf8.count < width {
            lines[lines.count - 1] = "\(last) \(word)"
        } else {
            lines.append(String(word))
        }
    }
    return lines
}

/// How many letters must be put in, taken out or changed.
private func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8.prefix(64)), Array(right.utf8.prefix(64)))
    var row = Array(0...right.count)
    for (index, letter) in left.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for (place, other) in right.enumerated() {
            let change = diagonal + (letter == other ? 0 : 1)
            diagonal = row[place + 1]
            row[place + 1] = min(change, diagonal + 1, row[place] + 1)
        }
    }
    return row[right.count]
}
