// Parts of HTTP as texts of a manifest: names, values, paths, durations, times.
internal import KmeshKit
internal import KmeshYAML

extension YAMLNode {
    /// A text that may also be empty or null.
    func emptyOrText(_ field: String) throws(DecodeError) -> String { isNull ? "" : try text(field) }

    /// The name of a header (RFC 9110 section 5.6.2).
    func token(_ field: String) throws(DecodeError) -> String {
        let text = try text(field)
        let isToken = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        guard isToken, (1...256).contains(text.utf8.count) else {
            throw DecodeError(
                line: line, message: "\(field) must have 1 to 256 letters, digits and !#$%&'*+-.^_`|~\(found)"
            )
        }
        return text
    }

    /// A header's value: what could end the line would let one header become several.
    func headerValue(_ field: String) throws(DecodeError) -> String {
        let text = try text(field)
        guard (1...4096).contains(text.utf8.count) else {
            throw DecodeError(line: line, message: "\(field) must have 1 to 4096 bytes")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
            throw DecodeError(line: line, message: "\(field) has a control character: remove it")
        }
        return text
    }

    func checkRegex(_ pattern: String, _ field: String) throws(DecodeError) {
        do throws(RegexError) {
            try RegexMatcher.check(pattern)
        } catch {
            throw DecodeError(line: line, message: "\(field) must be a pattern of RE2\(found): \(error)")
        }
    }

    /// A path to compare with: absolute, and written the one way in which it can match.
    func checkPath(_ path: String, _ field: String) throws(DecodeError) {
        try checkReplacement(path, field)
        for part in ["//", "/./", "/../", "%2f", "%2F"] where path.contains(part) {
            throw DecodeError(line: line, message: "\(field) must not contain \(part)\(found)")
        }
        guard !path.hasSuffix("/."), !path.hasSuffix("/..") else {
            throw DecodeError(line: line, message: "\(field) must not end with /. or /..\(found)")
        }
    }

    /// An absolute path of the characters that a path has (RFC 3986 section 3.3).
    func checkReplacement(_ path: String, _ field: String) throws(DecodeError) {
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw DecodeError(line: line, message: "\(field) must begin with /\(found)")
        }
        guard path.utf8.count <= 1024 else {
            throw DecodeError(line: line, message: "\(field) has more than 1024 bytes")
        }
        let bytes = Array(path.utf8)
        for (index, byte) in bytes.enumerated() {
            let isAllowed =
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                case UInt8(ascii: "%"):
                    index + 2 < bytes.count && bytes[(index + 1)...(index + 2)].allSatisfy(isHexadecimal)
                default: "-._~!$&'()*+,;=:@/".utf8.contains(byte)
                }
            guard isAllowed else {
                throw DecodeError(
                    line: line, message: "\(field) has a character that a path cannot have\(found)")
            }
        }
    }

    private func isHexadecimal(_ byte: UInt8) -> Bool {
        Character(Unicode.Scalar(byte)).hexDigitValue != nil
    }

    /// Milliseconds of a duration as the Gateway API writes it: `1h10m`, `1s500ms`.
    func duration(_ field: String) throws(DecodeError) -> UInt32 {
        let bytes = Array(try text(field).utf8)
        var total = 0
        var index = 0
        var parts = 0
        while index < bytes.count, parts < 4 {
            let start = index
            while index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) {
                index += 1
            }
            guard (1...5).contains(index - start), let number = Int(decimal: bytes[start..<index]),
                let (factor, length) = Self.unit(bytes[index...])
            else { break }
            total += number * factor
            index += length
            parts += 1
        }
        guard index == bytes.count, parts > 0 else {
            throw DecodeError(
                line: line,
                message: "\(field) must be a duration such as 10s, 1m30s or 500ms\(found)")
        }
        guard let milliseconds = UInt32(exactly: total) else {
            throw DecodeError(line: line, message: "\(field) must be at most 1193h\(found)")
        }
        return milliseconds
    }

    /// Milliseconds of the unit at the start, and its length.
    private static func unit(_ bytes: ArraySlice<UInt8>) -> (factor: Int, length: Int)? {
        switch bytes.first {
        case UInt8(ascii: "h"): (3_600_000, 1)
        case UInt8(ascii: "s"): (1000, 1)
        case UInt8(ascii: "m"): bytes.dropFirst().first == UInt8(ascii: "s") ? (1, 2) : (60_000, 1)
        default: nil
        }
    }

    /// Seconds since 1970 of a time as Kubernetes writes it: `2026-01-31T12:00:00Z`.
    func timestamp(_ field: String) throws(DecodeError) -> Int64 {
        let bytes = Array(try text(field).utf8)
        let separators: [(Int, Unicode.Scalar)] = [
            (4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "Z"),
        ]
        guard bytes.count == 20, separators.allSatisfy({ bytes[$0.0] == UInt8(ascii: $0.1) }),
            let year = Int(decimal: bytes[0..<4]), let month = Int(decimal: bytes[5..<7]),
            let day = Int(decimal: bytes[8..<10]), let hour = Int(decimal: bytes[11..<13]),
            let minute = Int(decimal: bytes[14..<16]), let second = Int(decimal: bytes[17..<19]),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else {
            throw DecodeError(
                line: line, message: "\(field) must be a time such as 2026-01-31T12:00:00Z\(found)")
        }
        // Years that begin in March end with the leap day.
        let shifted = month > 2 ? year : year - 1
        let monthDays = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5
        let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + monthDays + day - 1
        return Int64(((days - 719_468) * 24 + hour) * 3600 + minute * 60 + second)
    }
}

extension Int {
    /// Decimal digits and nothing else.
    fileprivate init?(decimal digits: ArraySlice<UInt8>) {
        var value = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        self = value
    }
}
