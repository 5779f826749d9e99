import CKmeshABI
import KmeshKit
import Testing

@Suite struct VerdictReasonTests {
    /// The numbers of `reasons.h`, read from the header itself.
    static let header: [(name: String, number: UInt32)] = {
        let path = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let text = try? Files.readText("\(path)/bpf/include/kmesh/abi/reasons.h")
        return (text ?? "").split(separator: "\n").compactMap { line in
            let parts = line.split { " =,\t".contains($0) }
            guard parts.count >= 2, parts[0].hasPrefix("KMESH_REASON_"), parts[0] != "KMESH_REASON_MAX",
                let number = UInt32(parts[1])
            else { return nil }
            return (String(parts[0]), number)
        }
    }()

    @Test func everyNumberOfTheHeaderHasACase() {
        #expect(Self.header.count == VerdictReason.allCases.count)
        for (name, number) in Self.header {
            #expect(VerdictReason(rawValue: number) != nil, "\(name) = \(number) has no case")
            #expect(number < VerdictReason.limit)
        }
    }

    @Test func namesAreThoseOfTheHeader() {
        let spelled: [String: String] = [
            "steered_by_affinity": "steered_affinity", "steered_by_session": "steered_session",
        ]
        for reason in VerdictReason.allCases {
            let name = "KMESH_REASON_\((spelled[reason.name] ?? reason.name).uppercased())"
            #expect(Self.header.contains { $0.name == name && $0.number == reason.rawValue }, "\(name)")
            #expect(reason.explanation.hasSuffix("."))
        }
    }
}
