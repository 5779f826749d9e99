/// Policies in the form in which requests are compared with them: flat arrays that are only read, and bytes
/// in place of texts. What they decide is what `PolicyEvaluator` decides.
internal import KmeshKit

struct CompiledPolicies: Sendable {
    struct Policy: Sendable {
        /// Among all policies of the set, in the order of their names.
        var place: Int32
        /// The number under which it is counted.
        var statistic: Int32
        var rules: Range<Int32>
    }

    struct Rule: Sendable {
        /// One that allows by what cannot be seen.
        var isVoid = false
        var clauses: Range<Int32>
    }

    /// One of `any` must match, unless there is none; and none of `none`.
    struct Choice: Sendable {
        var any: Range<Int32> = 0..<0
        var none: Range<Int32> = 0..<0
    }

    struct Match: Sendable {
        /// It asks for what nothing has, or for nothing at all.
        var isVoid = false
        var asksRequest = false
        var namespaces = Choice()
        var principals = Choice()
        var accounts = Choice()
        var sourceBlocks = Choice()
        var remoteBlocks = Choice()
        var destinationBlocks = Choice()
        var ports = Choice()
        var hosts = Choice()
        var methods = Choice()
        var paths = Choice()
        var headers: Range<Int32> = 0..<0
    }

    struct Text: Sendable {
        enum Kind: UInt8, Sendable { case exact, prefix, suffix, present }

        var kind: Kind
        var start: Int32
        var count: Int32
    }

    struct Account: Sendable {
        var namespace: Text
        var name: Text
    }

    struct Header: Sendable {
        var name: Text
        /// An absolute target makes the line of this name void: the authority is what counts.
        var isHost: Bool
        var values: Choice
    }

    /// Those in force that deny, those that allow, then those under trial in the same order.
    private(set) var policies: [Policy] = []
    private(set) var denying = 0..<0
    private(set) var allowing = 0..<0
    private(set) var trialDenying = 0..<0
    private(set) var trialAllowing = 0..<0
    private(set) var rules: [Rule] = []
    private(set) var clauses: [Range<Int32>] = []
    private(set) var matches: [Match] = []
    private(set) var texts: [Text] = []
    private(set) var accounts: [Account] = []
    private(set) var blocks: [IPBlock] = []
    private(set) var ports: [UInt16] = []
    private(set) var headers: [Header] = []
    private(set) var bytes: [UInt8] = []

    /// - Parameter sorted: by their keys; `statistics` has the number of each.
    /// - Parameter seesRequests: `false` is for streams, which may hold any request: a rule that allows by
    ///   what cannot be seen allows nothing, and one that denies by it denies what the rest of it matches.
    init(_ sorted: [AuthorizationPolicy], statistics: [Int32], seesRequests: Bool) {
        for isDryRun in [false, true] {
            for action in [PolicyAction.deny, .allow] {
                let first = policies.count
                for (place, policy) in sorted.enumerated()
                where policy.isDryRun == isDryRun && policy.action == action {
                    add(policy, Int32(place), statistics[place], seesRequests)
                }
                switch (isDryRun, action) {
                case (false, .deny): denying = first..<policies.count
                case (false, .allow): allowing = first..<policies.count
                case (true, .deny): trialDenying = first..<policies.count
                case (true, .allow): trialAllowing = first..<policies.count
                }
            }
        }
    }

    // MARK: Compiling

    private mutating func add(
        _ policy: AuthorizationPolicy, _ place: Int32, _ statistic: Int32, _ seesRequests: Bool
    ) {
        let first = Int32(rules.count)
        // None is left out: rules are named by their numbers.
        for rule in policy.rules {
            let start = Int32(clauses.count)
            for clause in rule.clauses where !clause.isEmpty {
                let begin = Int32(matches.count)
                for match in clause { add(match, seesRequests) }
                clauses.append(begin..<Int32(matches.count))
            }
            let isVoid = !seesRequests && policy.action == .allow && rule.needsRequest
            rules.append(Rule(isVoid: isVoid, clauses: start..<Int32(clauses.count)))
        }
        policies.append(Policy(place: place, statistic: statistic, rules: first..<Int32(rules.count)))
    }

    private mutating func add(_ match: PolicyMatch, _ seesRequests: Bool) {
        var compiled = Match()
        compiled.namespaces = choice(match.namespaces)
        compiled.principals = choice(match.principals)
        compiled.accounts = Choice(
            any: add(accounts: match.serviceAccounts.any), none: add(accounts: match.serviceAccounts.none))
        compiled.sourceBlocks = choice(match.sourceBlocks)
        compiled.destinationBlocks = choice(match.destinationBlocks)
        compiled.ports = Choice(
            any: add(ports: match.destinationPorts.any), none: add(ports: match.destinationPorts.none))
        compiled.isVoid = match.isEmptyAtL4 && match.request == nil
        if seesRequests, let request = match.request {
            compiled.asksRequest = true
            compiled.isVoid = !request.absent.any.isEmpty
            compiled.remoteBlocks = choice(request.remoteBlocks)
            compiled.hosts = choice(request.hosts)
            compiled.methods = choice(request.methods)
            compiled.paths = choice(request.paths)
            compiled.headers = add(headers: request.headers)
        }
        matches.append(compiled)
    }

    private mutating func choice(_ patterns: Patterns<StringMatch>) -> Choice {
        Choice(any: add(texts: patterns.any), none: add(texts: patterns.none))
    }

    private mutating func choice(_ patterns: Patterns<IPBlock>) -> Choice {
        Choice(any: add(blocks: patterns.any), none: add(blocks: patterns.none))
    }

    private mutating func add(texts patterns: [StringMatch]) -> Range<Int32> {
        let first = Int32(texts.count)
        for pattern in patterns { texts.append(text(pattern)) }
        return first..<Int32(texts.count)
    }

    private mutating func add(blocks patterns: [IPBlock]) -> Range<Int32> {
        blocks += patterns
        return Int32(blocks.count - patterns.count)..<Int32(blocks.count)
    }

    private mutating func add(ports patterns: [UInt16]) -> Range<Int32> {
        ports += patterns
        return Int32(ports.count - patterns.count)..<Int32(ports.count)
    }

    private mutating func add(accounts patterns: [ServiceAccountName]) -> Range<Int32> {
        for pattern in patterns {
            accounts.append(
                Account(namespace: text(.exact(pattern.namespace)), name: text(.exact(pattern.name))))
        }
        return Int32(accounts.count - patterns.count)..<Int32(accounts.count)
    }

    private mutating func add(headers patterns: [RequestMatch.HeaderMatch]) -> Range<Int32> {
        for pattern in patterns {
            headers.append(
                Header(
                    name: text(.exact(pattern.name)), isHost: pattern.name == "host",
                    values: choice(pattern.values)))
        }
        return Int32(headers.count - patterns.count)..<Int32(headers.count)
    }

    private mutating func text(_ pattern: StringMatch) -> Text {
        let (kind, value): (Text.Kind, String) =
            switch pattern {
            case .exact(let text): (.exact, text)
            case .prefix(let text): (.prefix, text)
            case .suffix(let text): (.suffix, text)
            case .present: (.present, "")
            }
        let start = Int32(bytes.count)
        bytes += value.utf8
        return Text(kind: kind, start: start, count: Int32(bytes.count) - start)
    }
}
