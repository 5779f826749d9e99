// What a route asks of a request besides its path: method, headers, query parameters.
internal import KmeshKit

/// All conditions of a table, in flat arrays that are only read.
struct RouteConditions: Sendable {
    private struct Condition {
        /// -1: any method.
        var method: Int32 = -1
        var headers: Range<Int32> = 0..<0
        var queries: Range<Int32> = 0..<0
    }

    private struct Comparison {
        var name: Int32
        /// -1: by the pattern.
        var value: Int32
        var pattern: Int32
    }

    private var conditions: [Condition] = []
    private var comparisons: [Comparison] = []
    private var bytes: [UInt8] = []
    private var ranges: [Range<Int>] = []
    private(set) var patterns: [RegexMatcher] = []
    private var known: [String: Int32] = [:]
    private var patternNumbers: [String: Int32] = [:]

    // MARK: Building

    /// The number of a route's conditions; -1 when it has none.
    mutating func add(_ match: RouteMatch) throws(RegexError) -> Int32 {
        if match.method == nil, match.headers.isEmpty, match.queryParameters.isEmpty { return -1 }
        var condition = Condition()
        if let method = match.method { condition.method = text(method) }
        condition.headers = try add(match.headers)
        condition.queries = try add(match.queryParameters)
        conditions.append(condition)
        return Int32(conditions.count - 1)
    }

    private mutating func add(_ matches: [NamedMatch]) throws(RegexError) -> Range<Int32> {
        let first = Int32(comparisons.count)
        for match in matches {
            if case .exact(let value) = match.value {
                comparisons.append(Comparison(name: text(match.name), value: text(value), pattern: -1))
            } else if let pattern = match.value.pattern {
                let number = try add(pattern: pattern)
                comparisons.append(Comparison(name: text(match.name), value: -1, pattern: number))
            }
        }
        return first..<Int32(comparisons.count)
    }

    mutating func add(pattern: String) throws(RegexError) -> Int32 {
        if let number = patternNumbers[pattern] { return number }
        patterns.append(try RegexMatcher(pattern))
        patternNumbers[pattern] = Int32(patterns.count - 1)
        return Int32(patterns.count - 1)
    }

    private mutating func text(_ text: String) -> Int32 {
        if let number = known[text] { return number }
        let start = bytes.count
        bytes += Array(text.utf8)
        ranges.append(start..<bytes.count)
        known[text] = Int32(ranges.count - 1)
        return Int32(ranges.count - 1)
    }

    // MARK: Matching

    @inline(__always)
    func hold(
        _ number: Int32, _ head: RequestHead, _ fields: borrowing Slab<HeaderField>, _ text: Span<UInt8>
    ) -> Bool {
        if number < 0 { return true }
        let condition = conditions[Int(number)]
        if condition.method >= 0, !isEqual(condition.method, text, head.method.range) { return false }
        for index in condition.headers
        where !hasHeader(comparisons[Int(index)], head.fieldCount, fields, text) {
            return false
        }
        for index in condition.queries where !hasParameter(comparisons[Int(index)], head, text) {
            return false
        }
        return true
    }

    /// Whether the pattern fits the range.
    func matches(_ pattern: Int32, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let matcher = patterns[Int(pattern)]
        var run = RegexRun(matcher)
        matcher.advance(&run, over: text, in: range)
        return matcher.accepts(&run)
    }

    /// Several lines of one name count as one, joined by a comma and a space (RFC 9110 section 5.3).
    private func hasHeader(
        _ comparison: Comparison, _ count: Int32, _ fields: borrowing Slab<HeaderField>, _ text: Span<UInt8>
    ) -> Bool {
        let name = ranges[Int(comparison.name)]
        guard comparison.pattern < 0 else {
            return hasHeader(name, patterns[Int(comparison.pattern)], count, fields, text)
        }
        let value = ranges[Int(comparison.value)]
        var position = value.lowerBound
        var isFirst = true
        for index in 0..<count {
            let field = fields[index]
            guard isNamed(name, text, field.name.range) else { continue }
            if !isFirst {
                guard position &+ 2 <= value.upperBound, bytes[position] == UInt8(ascii: ","),
                    bytes[position &+ 1] == UInt8(ascii: " ")
                else { return false }
                position &+= 2
            }
            isFirst = false
            let range = field.value.range
            guard range.count <= value.upperBound &- position else { return false }
            if !text.isEqual(range, bytes, position) { return false }
            position &+= range.count
        }
        return !isFirst && position == value.upperBound
    }

    private func hasHeader(
        _ name: Range<Int>, _ matcher: RegexMatcher, _ count: Int32, _ fields: borrowing Slab<HeaderField>,
        _ text: Span<UInt8>
    ) -> Bool {
        var run = RegexRun(matcher)
        var isFirst = true
        for index in 0..<count {
            let field = fields[index]
            guard isNamed(name, text, field.name.range) else { continue }
            if !isFirst {
                matcher.advance(&run, UInt8(ascii: ","))
                matcher.advance(&run, UInt8(ascii: " "))
            }
            isFirst = false
            matcher.advance(&run, over: text, in: field.value.range)
        }
        return !isFirst && matcher.accepts(&run)
    }

    /// The first parameter of the name counts; nothing is decoded. One without `=` has an empty value.
    private func hasParameter(_ comparison: Comparison, _ head: RequestHead, _ text: Span<UInt8>) -> Bool {
        guard head.hasQuery else { return false }
        let query = head.query.range
        var start = query.lowerBound
        while start <= query.upperBound {
            var end = start
            var equals = -1
            while end < query.upperBound, text[end] != UInt8(ascii: "&") {
                if equals < 0, text[end] == UInt8(ascii: "=") { equals = end }
                end &+= 1
            }
            let nameEnd = equals < 0 ? end : equals
            if isEqual(comparison.name, text, start..<nameEnd) {
                let value = (equals < 0 ? end : equals &+ 1)..<end
                return comparison.pattern < 0
                    ? isEqual(comparison.value, text, value) : matches(comparison.pattern, text, value)
            }
            start = end &+ 1
        }
        return false
    }

    @inline(__always)
    private func isEqual(_ number: Int32, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let own = ranges[Int(number)]
        return own.count == range.count && text.isEqual(range, bytes, own.lowerBound)
    }

    /// Names of headers are in lower case here, and in any case in a request.
    @inline(__always)
    private func isNamed(_ own: Range<Int>, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        own.count == range.count && text.isEqualLowered(range, bytes, own.lowerBound)
    }
}
