import KmeshKit
import KmeshTestSupport
import Testing

@testable import EnvoyConfiguration

/// Whatever is in the file, it is either read or refused with a reason.
@Suite struct EnvoyFuzzTests {
    private func check(_ bytes: [UInt8]) {
        do throws(ConfigurationError) {
            let resources = try StaticDocument.read(bytes)
            #expect(Set(resources.map(\.name)).count == resources.count)
        } catch {
            #expect(!error.problems.isEmpty && error.problems.count <= 101)
            #expect(error.problems.allSatisfy { !$0.isEmpty })
        }
    }

    @Test(arguments: 1...4)
    func changedBytesEndCleanly(seed: UInt64) throws {
        let original = Array(try fixture("envoy/bootstrap.json").utf8)
        var random = SplitMix64(seed: seed)
        for _ in 0..<100 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(bytes[place], at: place)
                default: bytes.removeLast(bytes.count - max(place, 1))
                }
            }
            check(bytes)
        }
    }

    /// Documents that stay JSON: values change places and types.
    @Test(arguments: 1...4)
    func changedValuesEndCleanly(seed: UInt64) throws {
        let text = try fixture("envoy/bootstrap.json")
        let original = try JSONValue(parsing: text)
        var random = SplitMix64(seed: seed)
        for _ in 0..<100 { check(Array(changed(original, &random).text().utf8)) }
    }

    private func changed(_ value: JSONValue, _ random: inout SplitMix64) -> JSONValue {
        if Int.random(in: 0..<150, using: &random) == 0 {
            let others: [JSONValue] = [
                .null, true, 0, -1, .integer(.max), .number(1e300), "", "x", "*", .array([]), .object([]),
                .array([.null]), value, .array([value]),
            ]
            return others.randomElement(using: &random) ?? .null
        }
        switch value {
        case .array(let values):
            return .array(values.map { changed($0, &random) })
        case .object(let members):
            return .object(members.map { .init($0.name, changed($0.value, &random)) })
        case .null, .bool, .integer, .number, .string: return value
        }
    }

    @Test func depthAndSizeAreBounded() {
        check(Array(repeating: UInt8(ascii: "["), count: 1_000_000))
        check(Array((String(repeating: "{\"staticResources\":", count: 10_000)).utf8))
        #expect(problems(String(repeating: " ", count: StaticDocument.sizeLimit + 1)).count == 1)
    }
}
