// Comparing connections and requests with compiled policies. Nothing is allocated.
internal import KmeshKit

/// A connection as compiled policies see it.
struct PolicySubject {
    var source: IPAddress
    /// `nil` for a source that is no workload of the mesh, or whose address several workloads share.
    var identity: SourceIdentity?
    var destination: IPAddress
    var port: UInt16
}

struct PolicyVerdict: BitwiseCopyable, Equatable {
    enum Outcome: UInt8, BitwiseCopyable {
        /// No policy in force restricts it.
        case unrestricted = 0
        case allowed, denied
        /// There are policies that allow, and none of them allows this.
        case notAllowed
    }

    var outcome = Outcome.unrestricted
    /// The policy that decided, by its place in the set, and its rule; -1 for none.
    var policy: Int32 = -1
    var rule: Int32 = -1

    var isAllowed: Bool { outcome == .unrestricted || outcome == .allowed }
}

extension CompiledPolicies {
    /// - Parameter head: of the request that `bytes` and `fields` hold; of a stream they are empty, and the
    ///   policies are compiled for streams.
    /// - Parameter path: as policies are compared with it.
    /// - Parameter trials: gets the numbers of policies under trial that would have denied, each once.
    func decide(
        _ subject: PolicySubject, _ head: RequestHead, _ fields: borrowing Slab<HeaderField>,
        _ bytes: Span<UInt8>, path: Span<UInt8>, trials: inout [Int32]
    ) -> PolicyVerdict {
        let host = HostForms(head, bytes)
        if !trialDenying.isEmpty || !trialAllowing.isEmpty {
            for number in trialDenying {
                let rule = matchingRule(number, subject, head, host, fields, bytes, path)
                if rule >= 0 { note(number, &trials) }
            }
            let isAllowed = trialAllowing.contains { number in
                matchingRule(number, subject, head, host, fields, bytes, path) >= 0
            }
            if !isAllowed { for number in trialAllowing { note(number, &trials) } }
        }
        for number in denying {
            let rule = matchingRule(number, subject, head, host, fields, bytes, path)
            if rule >= 0 {
                return PolicyVerdict(outcome: .denied, policy: policies[number].place, rule: rule)
            }
        }
        for number in allowing {
            let rule = matchingRule(number, subject, head, host, fields, bytes, path)
            if rule >= 0 {
                return PolicyVerdict(outcome: .allowed, policy: policies[number].place, rule: rule)
            }
        }
        return PolicyVerdict(outcome: allowing.isEmpty ? .unrestricted : .notAllowed)
    }

    /// A path may be compared in two forms, and the request is one.
    private func note(_ number: Int, _ trials: inout [Int32]) {
        let statistic = policies[number].statistic
        if !trials.contains(statistic) { trials.append(statistic) }
    }

    /// The first rule of a policy that matches; -1 when none does.
    private func matchingRule(
        _ number: Int, _ subject: PolicySubject, _ head: RequestHead, _ host: HostForms,
        _ fields: borrowing Slab<HeaderField>, _ bytes: Span<UInt8>, _ path: Span<UInt8>
    ) -> Int32 {
        let range = policies[number].rules
        for rule in range where !rules[Int(rule)].isVoid {
            var holds = true
            for clause in rules[Int(rule)].clauses {
                var isMet = false
                for match in clauses[Int(clause)]
                where holdsFor(matches[Int(match)], subject, head, host, fields, bytes, path) {
                    isMet = true
                    break
                }
                guard isMet else {
                    holds = false
                    break
                }
            }
            if holds { return rule - range.lowerBound }
        }
        return -1
    }

    private func holdsFor(
        _ match: Match, _ subject: PolicySubject, _ head: RequestHead, _ host: HostForms,
        _ fields: borrowing Slab<HeaderField>, _ bytes: Span<UInt8>, _ path: Span<UInt8>
    ) -> Bool {
        guard !match.isVoid, holds(match.ports, subject.port),
            holds(match.sourceBlocks, subject.source), holds(match.destinationBlocks, subject.destination),
            holdsForIdentity(match, subject.identity)
        else { return false }
        guard match.asksRequest else { return true }
        // Nobody's word on the source is believed but that of trusted proxies, whose it is then.
        return holds(match.methods, bytes, head.method.range) && holds(match.paths, path, 0..<path.count)
            && holds(match.remoteBlocks, subject.source) && holds(match.hosts, host, bytes)
            && holds(match.headers, head, fields, bytes)
    }

    // MARK: Connections

    private func holds(_ choice: Choice, _ port: UInt16) -> Bool {
        holds(choice) { ports[Int($0)] == port }
    }

    private func holds(_ choice: Choice, _ address: IPAddress) -> Bool {
        holds(choice) { blocks[Int($0)].contains(address) }
    }

    private func holdsForIdentity(_ match: Match, _ identity: SourceIdentity?) -> Bool {
        if let identity {
            let text = identity.text
            return holds(match.namespaces, text.span, identity.namespace)
                && holds(match.principals, text.span, text.indices)
                && holds(match.accounts) { number in
                    let account = accounts[Int(number)]
                    return fits(account.namespace, text.span, identity.namespace)
                        && fits(account.name, text.span, identity.serviceAccount)
                }
        }
        // Nobody: absent texts are empty, and no account matches.
        let nothing: [UInt8] = []
        return match.accounts.any.isEmpty && holds(match.namespaces, nothing.span, 0..<0)
            && holds(match.principals, nothing.span, 0..<0)
    }

    // MARK: Requests

    private func holds(_ choice: Choice, _ host: HostForms, _ bytes: Span<UInt8>) -> Bool {
        holds(choice) { number in
            fits(texts[Int(number)], bytes, host.whole, folded: true)
                || host.short != host.whole && fits(texts[Int(number)], bytes, host.short, folded: true)
        }
    }

    private func holds(
        _ range: Range<Int32>, _ head: RequestHead, _ fields: borrowing Slab<HeaderField>,
        _ bytes: Span<UInt8>
    ) -> Bool {
        for number in range {
            let header = headers[Int(number)]
            for pattern in header.values.none where fits(pattern, header, head, fields, bytes) {
                return false
            }
            guard !header.values.any.isEmpty else { continue }
            var isMet = false
            for pattern in header.values.any where fits(pattern, header, head, fields, bytes) {
                isMet = true
                break
            }
            if !isMet { return false }
        }
        return true
    }

    /// Whether the lines of the header's name, joined by commas, fit the text `number`.
    private func fits(
        _ number: Int32, _ header: Header, _ head: RequestHead, _ fields: borrowing Slab<HeaderField>,
        _ bytes: Span<UInt8>
    ) -> Bool {
        let text = texts[Int(number)]
        if header.isHost { return fits(text, bytes, head.authority.range) }
        var lines = 0, count = 0
        var last = ByteRange()
        for index in 0..<head.fieldCount where isNamed(header.name, fields[index], bytes) {
            last = fields[index].value
            count &+= Int(last.count) &+ (lines > 0 ? 1 : 0)
            lines &+= 1
        }
        if lines <= 1 { return fits(text, bytes, last.range) }
        let wanted = Int(text.count)
        switch text.kind {
        case .present: return true
        case .exact: guard count == wanted else { return false }
        case .prefix, .suffix: guard count >= wanted else { return false }
        }
        let start = text.kind == .suffix ? count &- wanted : 0
        return isJoined(text, from: start, header, head, fields, bytes)
    }

    /// Whether the joined lines hold all of `text` from `start` on.
    private func isJoined(
        _ text: Text, from start: Int, _ header: Header, _ head: RequestHead,
        _ fields: borrowing Slab<HeaderField>, _ bytes: Span<UInt8>
    ) -> Bool {
        // The place of the next byte of the joined lines, counted from `start`.
        var place = -start
        let end = Int(text.count)
        var isFirst = true
        for index in 0..<head.fieldCount where isNamed(header.name, fields[index], bytes) {
            if !isFirst {
                guard isByte(ASCII.comma, of: text, at: place) else { return false }
                place &+= 1
            }
            isFirst = false
            for at in fields[index].value.range {
                guard isByte(bytes[at], of: text, at: place) else { return false }
                place &+= 1
            }
            if place >= end { return true }
        }
        return place >= end
    }

    /// Outside of the text every byte will do.
    private func isByte(_ byte: UInt8, of text: Text, at place: Int) -> Bool {
        place < 0 || place >= Int(text.count) || self.bytes[Int(text.start) &+ place] == byte
    }

    /// Names of headers are in lower case here, and in any case in a request.
    private func isNamed(_ name: Text, _ field: HeaderField, _ bytes: Span<UInt8>) -> Bool {
        field.name.count == name.count
            && bytes.isEqualLowered(field.name.range, self.bytes, Int(name.start))
    }

    // MARK: Texts

    @inline(__always)
    private func holds(_ choice: Choice, where matches: (Int32) -> Bool) -> Bool {
        for number in choice.none where matches(number) { return false }
        if choice.any.isEmpty { return true }
        for number in choice.any where matches(number) { return true }
        return false
    }

    private func holds(_ choice: Choice, _ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        for number in choice.none where fits(texts[Int(number)], text, range) { return false }
        if choice.any.isEmpty { return true }
        for number in choice.any where fits(texts[Int(number)], text, range) { return true }
        return false
    }

    /// `folded`: letters of the text count as those in lower case.
    private func fits(
        _ pattern: Text, _ text: Span<UInt8>, _ range: Range<Int>, folded: Bool = false
    ) -> Bool {
        let count = Int(pattern.count)
        switch pattern.kind {
        case .present: return !range.isEmpty
        case .exact: guard range.count == count else { return false }
        case .prefix, .suffix: guard range.count >= count else { return false }
        }
        let start = pattern.kind == .suffix ? range.upperBound &- count : range.lowerBound
        let part = start..<(start &+ count)
        return folded
            ? text.isEqualLowered(part, bytes, Int(pattern.start))
            : text.isEqual(part, bytes, Int(pattern.start))
    }
}

/// A request's authority, and the same without a port that is its scheme's own: `a.com:80` is also `a.com`.
private struct HostForms {
    let whole: Range<Int>
    let short: Range<Int>

    init(_ head: RequestHead, _ bytes: Span<UInt8>) {
        whole = head.authority.range
        let end = head.host.range.upperBound
        guard whole.upperBound > end else {
            short = whole
            return
        }
        // A colon, and digits or none.
        var port = 0
        for at in (end &+ 1)..<whole.upperBound { port = port &* 10 &+ Int(bytes[at] &- UInt8(ascii: "0")) }
        short = port == 80 || whole.upperBound == end &+ 1 ? head.host.range : whole
    }
}
