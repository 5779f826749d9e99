import KmeshKit
import Testing

@testable import KernelNativeEngine

/// Maps with an entry for each service port, as they are kept and repaired.
@Suite struct ServicePortTableTests {
    private let map = InMemoryMap<ServiceMapKey, LimitValue>(name: "limits", capacity: 8)

    private func table() -> ServicePortTable<LimitValue> {
        ServicePortTable(map) { [.init("maxConnections", JSONValue($0.maxConnections))] }
    }

    private func key(_ id: UInt32) -> ServiceMapKey { ServiceMapKey(serviceID: id) }

    private func limits(_ numbers: [UInt32: UInt32]) -> [ServiceMapKey: LimitValue] {
        Dictionary(uniqueKeysWithValues: numbers.map { (key($0), LimitValue(maxConnections: $1)) })
    }

    private func look(_ table: inout ServicePortTable<LimitValue>) -> DriftReport {
        var pace = DriftPace()
        (pace.readings, pace.entries, pace.wantedRound, pace.mapRound) = (2, 2, 1, 1)
        var report = DriftReport()
        for _ in 0..<20 { report.add(table.repairDrift(pace) { "service \($0)" }) }
        return report
    }

    @Test func onlyWhatChangesIsWritten() throws {
        var table = table()
        var writes = 0
        try table.write(limits([1: 10, 2: 20, 3: 30]), &writes)
        try table.write(limits([1: 10, 2: 21]), &writes)
        #expect(writes == 5)
        #expect(try map.contents().entries == limits([1: 10, 2: 21]))
        #expect(try table.verify { "\($0)" } == [])
        // The next run finds all of it.
        var later = self.table()
        try later.adopt()
        try later.write(limits([1: 10, 2: 21]), &writes)
        #expect(writes == 5)
        #expect(later.entryCount == ("limits", 2))
    }

    @Test func whatSomebodyElseChangesIsFoundAndRepaired() throws {
        var table = table()
        var writes = 0
        let wanted = limits([1: 10, 2: 20, 3: 30, 4: 40])
        try table.write(wanted, &writes)
        #expect(look(&table).repaired == [:])
        try map.remove([key(1)])
        try map.upsert([MapEntry(key(2), LimitValue(maxConnections: 7))])
        try map.upsert([MapEntry(key(9), LimitValue(maxConnections: 9))])
        map.damage(key(3))
        #expect(try table.verify { "\($0)" }.count == 4)
        let report = look(&table)
        #expect(report.repaired == ["limits": 4])
        #expect(report.fault == nil)
        #expect(report.texts.contains { $0.contains("service 2") && $0.contains("20") }, "\(report.texts)")
        #expect(try map.contents().entries == wanted)
        #expect(try table.verify { "\($0)" } == [])
    }

    /// An entry that an earlier run left damaged is written when it is wanted, and removed when it is not.
    @Test func damagedEntriesAreFoundAtTheStart() throws {
        var first = table()
        var writes = 0
        try first.write(limits([1: 10, 2: 20]), &writes)
        for id: UInt32 in [1, 2] { map.damage(key(id)) }
        var table = table()
        try table.adopt()
        try table.write(limits([1: 10]), &writes)
        #expect(try map.contents().entries == limits([1: 10]))
        #expect(try map.contents().damaged.isEmpty)
    }

    @Test func whatCouldNotBeWrittenIsNoDrift() throws {
        var table = table()
        var writes = 0
        try table.write(limits([1: 10]), &writes)
        let many = limits(Dictionary(uniqueKeysWithValues: (1...9).map { (UInt32($0), 1) }))
        #expect(throws: MapError.self) { try table.write(many, &writes) }
        #expect(look(&table).repaired == [:])
        try table.write(limits([1: 10]), &writes)
        #expect(try map.contents().entries == limits([1: 10]))
        #expect(look(&table).repaired == [:])
    }
}
