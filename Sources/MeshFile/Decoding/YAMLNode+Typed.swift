// Typed reading of a node, with errors that name the field.
internal import KmeshKit
internal import KmeshYAML

extension YAMLNode {
    /// The value of `key` unless it is null.
    func present(_ key: String) -> YAMLNode? {
        guard let node = self[key], !node.isNull else { return nil }
        return node
    }

    func elements(_ field: String) throws(DecodeError) -> [YAMLNode] {
        if isNull { return [] }
        guard let sequence else { throw DecodeError(line: line, message: "\(field) must be a list") }
        return sequence
    }

    func text(_ field: String) throws(DecodeError) -> String {
        guard let string else { throw DecodeError(line: line, message: "\(field) must be a text") }
        return string
    }

    func flag(_ field: String) throws(DecodeError) -> Bool {
        guard let bool else {
            throw DecodeError(line: line, message: "\(field) must be true or false")
        }
        return bool
    }

    func number(_ field: String, in range: ClosedRange<Int>) throws(DecodeError) -> Int {
        guard let int, range.contains(int) else {
            throw DecodeError(
                line: line,
                message: "\(field) must be a number from \(range.lowerBound) to \(range.upperBound)\(found)")
        }
        return int
    }

    func port(_ field: String) throws(DecodeError) -> UInt16 {
        UInt16(try number(field, in: 1...65535))
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ field: String, _: Choice.Type
    ) throws(DecodeError) -> Choice {
        guard let string, let choice = Choice(rawValue: string) else {
            let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw DecodeError(line: line, message: "\(field) must be one of \(all)\(found)")
        }
        return choice
    }

    func address(_ field: String) throws(DecodeError) -> IPAddress {
        guard let string, let address = IPAddress(string), !address.isUnspecified, !address.isMulticast else {
            throw DecodeError(line: line, message: "\(field) must be an IP address\(found)")
        }
        return address
    }

    /// An address that clients dial. Loopback is each client's own and cannot be shared.
    func virtualAddress(_ field: String) throws(DecodeError) -> IPAddress {
        let address = try address(field)
        guard !address.isLoopback else {
            throw DecodeError(line: line, message: "\(field) must not be a loopback address\(found)")
        }
        return address
    }

    /// What stands there instead, shortened.
    var found: String {
        guard case .scalar(let text, let isPlain) = value else { return "" }
        let short = text.count > 80 ? text.prefix(80) + "…" : text[...]
        return ", not \(isPlain ? "\(short)" : "\"\(short)\"")"
    }
}

extension IPAddress {
    var isMulticast: Bool { isV4 ? v4Bits >> 28 == 0xe : high >> 56 == 0xff }
}
