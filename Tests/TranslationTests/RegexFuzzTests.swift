// Random patterns: what a matcher says is what the definition says, and hostile texts end cleanly.
import Foundation
import Testing

@testable import KmeshKit

/// A pattern whose meaning is evaluated as it is defined, by trying every way.
private indirect enum Part {
    case byte(UInt8)
    case any
    case oneOf([UInt8], isNegated: Bool)
    case start, end
    case sequence([Part])
    case choice([Part])
    case repeated(Part, Int, Int?)

    var text: String {
        switch self {
        case .byte(let byte): String(UnicodeScalar(byte))
        case .any: "."
        case .oneOf(let bytes, let isNegated):
            "[\(isNegated ? "^" : "")\(String(decoding: bytes, as: UTF8.self))]"
        case .start: "^"
        case .end: "$"
        case .sequence(let parts): parts.map(\.text).joined()
        case .choice(let parts): "(?:\(parts.map(\.text).joined(separator: "|")))"
        case .repeated(let part, 0, nil): "(\(part.text))*"
        case .repeated(let part, 1, nil): "(\(part.text))+?"
        case .repeated(let part, 0, 1): "(\(part.text))?"
        case .repeated(let part, let least, let most):
            "(\(part.text)){\(least),\(most.map { "\($0)" } ?? "")}"
        }
    }

    /// Where a match that begins at `start` can end.
    func ends(_ text: [UInt8], _ start: Int) -> Set<Int> {
        switch self {
        case .byte(let byte): start < text.count && text[start] == byte ? [start + 1] : []
        case .any: start < text.count && text[start] != 10 ? [start + 1] : []
        case .oneOf(let bytes, let isNegated):
            start < text.count && bytes.contains(text[start]) != isNegated ? [start + 1] : []
        case .start: start == 0 ? [0] : []
        case .end: start == text.count ? [start] : []
        case .sequence(let parts):
            parts.reduce([start]) { places, part in
                places.reduce(into: Set()) { $0.formUnion(part.ends(text, $1)) }
            }
        case .choice(let parts): parts.reduce(into: Set()) { $0.formUnion($1.ends(text, start)) }
        case .repeated(let part, let least, let most): part.repetitions(text, start, least, most)
        }
    }

    private func repetitions(_ text: [UInt8], _ start: Int, _ least: Int, _ most: Int?) -> Set<Int> {
        var places: Set<Int> = [start]
        var found: Set<Int> = least == 0 ? places : []
        // After so many rounds nothing new can be found.
        for round in 1...max(most ?? 0, least + text.count + 2) where most.map({ round <= $0 }) ?? true {
            places = places.reduce(into: Set()) { $0.formUnion(ends(text, $1)) }
            if round >= least { found.formUnion(places) }
        }
        return found
    }
}

private struct PatternGenerator {
    var random: SplitMix64

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    mutating func letter() -> UInt8 { UInt8(ascii: "a") + UInt8(below(3)) }

    mutating func part(depth: Int) -> Part {
        switch below(depth > 0 ? 11 : 5) {
        case 0...2: .byte(letter())
        case 3: .any
        case 4: .oneOf([letter(), letter()], isNegated: below(3) == 0)
        case 5: below(2) == 0 ? .start : .end
        case 6...7: .sequence((0..<below(4)).map { _ in part(depth: depth - 1) })
        case 8: .choice((0...below(3)).map { _ in part(depth: depth - 1) })
        default: repeated(part(depth: depth - 1))
        }
    }

    private mutating func repeated(_ part: Part) -> Part {
        let least = below(3)
        return .repeated(part, least, below(2) == 0 ? nil : least + below(3))
    }

    mutating func text() -> [UInt8] {
        (0..<below(8)).map { _ in below(12) == 0 ? 10 : letter() }
    }
}

/// How many rounds a fuzz test makes: few unless the environment asks for more.
private let iterations =
    ProcessInfo.processInfo.environment["KMESH_FUZZ_ITERATIONS"].flatMap { Int($0) } ?? 500

@Suite struct RegexFuzzTests {
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func matchersSayWhatTheDefinitionSays(seed: UInt64) throws {
        var generator = PatternGenerator(random: SplitMix64(seed: seed))
        var matched = 0
        for _ in 0..<iterations {
            let part = generator.part(depth: 4)
            let pattern = part.text
            let matcher = try RegexMatcher(pattern)
            let slow = try RegexMatcher(pattern, maximumStates: 0, maximumWork: 0)
            for _ in 0..<4 {
                let text = generator.text()
                let expected = part.ends(text, 0).contains(text.count)
                matched += expected ? 1 : 0
                let shown = "\(pattern) and \(String(decoding: text, as: UTF8.self))"
                #expect(matcher.matches(text) == expected, "seed \(seed): \(shown)")
                #expect(slow.matches(text) == expected, "seed \(seed), no table: \(shown)")
            }
        }
        #expect(matched > iterations / 10, "seed \(seed): too few texts match to mean anything")
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func hostilePatternsEndCleanly(seed: UInt64) throws {
        var generator = PatternGenerator(random: SplitMix64(seed: seed))
        let signs = Array("()[]{}|*+?^$\\.-:=!<>PimsU0129,adwx[[:alpha:]]é".utf8)
        var taken = 0
        for _ in 0..<iterations {
            let bytes = (0..<generator.below(24)).map { _ in signs[generator.below(signs.count)] }
            guard let matcher = try? RegexMatcher(String(decoding: bytes, as: UTF8.self)) else { continue }
            taken += 1
            #expect(matcher.programSize <= RegexProgram.maximumSize)
            let text = generator.text()
            let slow = try RegexMatcher(
                String(decoding: bytes, as: UTF8.self), maximumStates: 0, maximumWork: 0)
            #expect(matcher.matches(text) == slow.matches(text), "seed \(seed): \(bytes)")
        }
        #expect(taken > 0 && taken < iterations, "seed \(seed): \(taken) of \(iterations) were taken")
    }
}
