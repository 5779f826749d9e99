import Testing

@testable import KmeshKit

@Suite struct TierSlotsTests {
    @Test func theLastTakesThePlaceOfTheOneThatGoes() {
        var tier = TierSlots(tier: 0, ids: [1, 2, 3, 4])
        #expect(tier.replace(departing: [2], arriving: []) == [1])
        #expect(tier.ids == [1, 4, 3])
    }

    @Test func theOneThatComesTakesThePlaceOfTheOneThatGoes() {
        var tier = TierSlots(tier: 0, ids: [1, 2, 3])
        #expect(tier.replace(departing: [2], arriving: [9, 10]) == [1, 3])
        #expect(tier.ids == [1, 9, 3, 10])
    }

    @Test func theLastOnesMayGo() {
        var tier = TierSlots(tier: 0, ids: [1, 2, 3, 4, 5])
        #expect(tier.replace(departing: [2, 4, 5], arriving: []) == [1])
        #expect(tier.ids == [1, 3])
        #expect(tier.replace(departing: [1, 3], arriving: []) == [])
        #expect(tier.ids == [])
    }

    @Test func holesAreClosed() {
        var tier = TierSlots(tier: 0, ids: [0, 2, 0, 4])
        #expect(tier.replace(departing: [], arriving: [7]) == [0, 2])
        #expect(tier.ids == [7, 2, 4])
    }

    /// Whatever comes and goes: the right ids, each once, and no more writes than ids that moved.
    @Test func anyChangeKeepsTheRestInPlace() {
        var random = SplitMix64(seed: 1)
        var tier = TierSlots(tier: 0)
        var next: UInt32 = 1
        for _ in 0..<500 {
            let before = tier.ids
            let departing = Set(before.filter { _ in Int.random(in: 0..<4, using: &random) == 0 })
            let arriving = (0..<Int.random(in: 0..<4, using: &random)).map { next + UInt32($0) }
            next += UInt32(arriving.count)
            let changed = tier.replace(departing: departing, arriving: arriving)
            #expect(Set(tier.ids) == Set(before).subtracting(departing).union(arriving))
            #expect(Set(tier.ids).count == tier.ids.count)
            #expect(changed.count <= departing.count + arriving.count)
            for index in tier.ids.indices where index >= before.count || tier.ids[index] != before[index] {
                #expect(changed.contains(index))
            }
            #expect(changed.allSatisfy { $0 < tier.ids.count })
        }
    }
}
