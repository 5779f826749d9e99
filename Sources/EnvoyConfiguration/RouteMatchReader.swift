/// What a route asks of a request.
internal import KmeshKit

struct RouteMatchReader {
    private let message: Message

    init(_ message: Message) { self.message = message }

    func read() -> RouteMatch? {
        guard let path = path() else { return nil }
        var match = RouteMatch(path: path)
        match.pathIgnoresCase = message.flag("caseSensitive") == false
        for header in message.messages("headers", .headerMatch) {
            guard let found = namedMatch(header, isHeader: true) else { continue }
            if found.name == ":method", case .exact(let method) = found.value, !found.inverts,
                !found.ignoresCase, !found.missingIsEmpty, match.method == nil
            {
                match.method = method
            } else {
                match.headers.append(found)
            }
        }
        match.queryParameters = message.messages("queryParameters", .queryMatch).compactMap {
            namedMatch($0, isHeader: false)
        }
        return match
    }

    private func path() -> PathMatch? {
        switch message.onlyOne(of: ["prefix", "path", "pathSeparatedPrefix", "safeRegex"]) {
        case "prefix":
            guard let text = message.text("prefix") else { return nil }
            if text.isEmpty || text == "/" { return .prefix("/") }
            return checked("prefix", text).map { .textPrefix($0) }
        case "path":
            return message.requiredText("path").flatMap { checked("path", $0) }.map { .exact($0) }
        case "pathSeparatedPrefix":
            guard let text = message.requiredText("pathSeparatedPrefix") else { return nil }
            guard !text.hasSuffix("/") else {
                message.fail("pathSeparatedPrefix", "must not end with a slash: leave it out")
                return nil
            }
            return checked("pathSeparatedPrefix", text).map { .prefix($0) }
        case "safeRegex":
            return message.pattern("safeRegex").map { .regex($0) }
        default: return nil
        }
    }

    /// Others would match nothing.
    private func checked(_ name: String, _ text: String) -> String? {
        guard text.hasPrefix("/"), !text.utf8.contains(where: { "?#".utf8.contains($0) }) else {
            message.fail(name, "must begin with a slash and be without ? and #, not \"\(text.prefix(80))\"")
            return nil
        }
        return text
    }

    // MARK: Headers and query parameters

    private static let forms = [
        "exactMatch", "safeRegexMatch", "presentMatch", "prefixMatch", "suffixMatch", "containsMatch",
        "stringMatch",
    ]

    private func namedMatch(_ part: Message, isHeader: Bool) -> NamedMatch? {
        guard var name = part.requiredText("name") else { return nil }
        if isHeader {
            name = name.lowercased()
            let others = [":authority": "domains", ":path": "path", ":scheme": "port of the listener"]
            if name.hasPrefix(":"), name != ":method" {
                part.fail("name", "\(name.prefix(80)) is no header: use \(others[name] ?? "headers")")
                return nil
            }
        }
        var match = NamedMatch(name: name, value: .present)
        match.inverts = part.flag("invertMatch") ?? false
        match.missingIsEmpty = part.flag("treatMissingHeaderAsEmpty") ?? false
        guard Self.forms.contains(where: part.has) else { return match }
        guard let form = part.onlyOne(of: Self.forms.filter(part.has)) else { return nil }
        switch form {
        case "presentMatch":
            guard let isPresent = part.flag(form) else { return nil }
            if !isPresent { match.inverts.toggle() }
        case "stringMatch":
            guard let inner = part.message(form, .stringMatch), let value = value(inner) else { return nil }
            match.value = value
            match.ignoresCase = inner.flag("ignoreCase") ?? false
            if match.ignoresCase, case .regex = value {
                inner.fail("ignoreCase", "has no effect on a pattern: remove it, and begin it with (?i)")
            }
        case "safeRegexMatch":
            guard let pattern = part.pattern(form) else { return nil }
            match.value = .regex(pattern)
        default:
            guard let value = value(part, form, String(form.dropLast("Match".count))) else { return nil }
            match.value = value
        }
        return match
    }

    private func value(_ message: Message) -> ValueMatch? {
        switch message.onlyOne(of: ["exact", "prefix", "suffix", "contains", "safeRegex"]) {
        case "safeRegex": message.pattern("safeRegex").map { .regex($0) }
        case let kind?: value(message, kind, kind)
        case nil: nil
        }
    }

    /// What an empty part would match is every value that is there.
    private func value(_ message: Message, _ field: String, _ kind: String) -> ValueMatch? {
        if kind == "exact" { return message.text(field).map { .exact($0) } }
        guard let text = message.requiredText(field) else { return nil }
        return kind == "prefix" ? .prefix(text) : kind == "suffix" ? .suffix(text) : .contains(text)
    }
}

extension Message {
    fileprivate func pattern(_ name: String) -> String? {
        message(name, .regex)?.requiredText("regex")
    }
}
