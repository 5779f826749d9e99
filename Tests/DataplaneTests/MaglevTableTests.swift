import CKmeshABI
import Testing

@testable import KmeshKit

@Suite struct MaglevTableTests {
    private let slots = Int(KMESH_TABLE_SLOTS)

    private func shares(_ weights: [UInt32]) -> [TableShare] {
        weights.enumerated().map { index, weight in
            let address = IPAddress(v4: 0x0a00_0000 + UInt32(index))
            return TableShare(
                hash: StableHash.of(address, port: 8080), endpointID: UInt32(index + 1), weight: weight)
        }
    }

    private func counts(_ table: [UInt32]) -> [UInt32: Int] {
        table.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    @Test(arguments: [1, 2, 3, 10, 100, 1000, 16381])
    func sharesAreEven(count: Int) {
        let counts = counts(maglevTable(shares(Array(repeating: 1, count: count))))
        #expect(counts.count == count)
        #expect(counts.values.allSatisfy { $0 == slots / count || $0 == slots / count + 1 })
    }

    @Test func sharesAreInProportionToWeights() {
        let cases: [[UInt32]] = [[1, 2, 3, 100, 4_000_000_000, 0], [5, 0, 1], [1, 1_000], Array(1...200)]
        for weights in cases {
            let total = weights.reduce(0.0) { $0 + Double($1) }
            let counts = counts(maglevTable(shares(weights)))
            for (index, weight) in weights.enumerated() {
                let wanted = Double(weight) / total * Double(slots)
                #expect(abs(Double(counts[UInt32(index + 1)] ?? 0) - wanted) <= 1)
            }
        }
    }

    @Test(arguments: [2, 5, 10, 100])
    func removingAnEndpointMovesFewOtherSlots(count: Int) {
        let all = shares(Array(repeating: 1, count: count))
        let before = maglevTable(all)
        for gone in [0, count / 2, count - 1] {
            var left = all
            left.remove(at: gone)
            let after = maglevTable(left)
            let moved = zip(before, after).count { $0 != $1 }
            #expect(Double(moved) / Double(slots) <= 1 / Double(count) + 0.04)
        }
    }

    @Test func changingAWeightMovesFewSlots() {
        var weights = [UInt32](repeating: 10, count: 50)
        let before = maglevTable(shares(weights))
        weights[7] = 11
        let moved = zip(before, maglevTable(shares(weights))).count { $0 != $1 }
        #expect(Double(moved) / Double(slots) <= 0.05)
    }

    /// Nodes must agree with each other, and with themselves after an update of the program.
    @Test func tablesNeverChange() {
        let table = maglevTable(shares([1, 1, 2]))
        let digest = TableValue(endpointIDs: table).digest
        #expect(digest == 16_486_052_642_964_264_970)
    }

    @Test func quotasAddUp() {
        #expect(slotQuotas([1, 1, 1], slots: 10) == [4, 3, 3])
        #expect(slotQuotas([0, 1], slots: 7) == [0, 7])
        #expect(slotQuotas([.max, .max], slots: 5) == [3, 2])
    }

    @Test func turnsAreSpread() {
        #expect(turns(of: [2, 1]) == [0, 1, 0])
        #expect(turns(of: [1, 4]) == [0, 1, 1, 1, 1])
        #expect(turns(of: [2, 4]) == [0, 1, 1, 0, 1, 1])
    }
}
