import BPFLoader
import KmeshTestSupport
import Testing

@testable import KmeshKit

/// Constants, sizes and pins of objects, and what becomes of a program array.
@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: loads BPF programs"))
struct BPFObjectTests {
    /// `struct test_settings`.
    struct Settings: BitwiseCopyable {
        var answer: UInt32
        var missed: UInt32 = 99
    }

    private func object(answer: UInt32) throws -> BPFObject {
        let object = try testObject("chain_test")
        try object.set(constants: Settings(answer: answer))
        return object
    }

    private func run(_ program: SharedDescriptor) throws -> UInt32 {
        try BPFProgram(try program.file.duplicate()).run(packet: [UInt8](repeating: 0, count: 64)).result
    }

    private func eventually(_ condition: () throws -> Bool) async throws -> Bool {
        for _ in 0..<500 {
            if try condition() { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test func constantsOfAnotherSizeAreRefused() throws {
        let object = try testObject("chain_test")
        let error = #expect(throws: BPFError.self) { try object.set(constants: UInt32(7)) }
        #expect(
            error?.description.contains("chain_test: it has 8 bytes of them, and 4 are given") == true,
            "\(String(describing: error))")
    }

    @Test func partsHaveConstantsOfTheirOwn() throws {
        let object = try object(answer: 7)
        try object.set(constants: UInt32(42), in: ".rodata.more")
        #expect(object.mapNames.sorted() == ["test_chain", "test_hash", "test_ring"])
        try object.load()
        #expect(try run(SharedDescriptor(try object.program("step"))) == 7)
        #expect(try run(SharedDescriptor(try object.program("more"))) == 42)
        let error = #expect(throws: BPFError.self) {
            try object.set(constants: UInt32(7), in: ".rodata.none")
        }
        #expect(error?.description.contains("find the map .rodata.none in chain_test") == true)
    }

    @Test func mapsHaveTheCapacityThatIsAskedFor() throws {
        let object = try object(answer: 1)
        try object.setCapacity(of: "test_hash", to: 100)
        try object.setCapacity(of: "test_ring", to: 262_144)
        try object.load()
        let capacities = Dictionary(
            uniqueKeysWithValues: try object.mapMemories().map { ($0.name, $0.capacity) })
        #expect(capacities == ["test_chain": 1, "test_hash": 100, "test_ring": 262_144])
        #expect(
            MapMemory.keptCapacities(
                try object.mapMemories(), wanted: [("test_hash", 200), ("test_ring", 262_144), ("other", 3)])
                == [
                    "map test_hash keeps the capacity of an earlier run, 100 instead of 200: to change it, "
                        + "run `kmesh-daemon uninstall` and enroll the pods again"
                ])
    }

    @Test func aProgramArrayLivesAsLongAsItsPin() async throws {
        let pins = try TestPins()
        let directory = try pins.directory()
        func load(pinned: Bool) throws -> SharedDescriptor {
            let object = try object(answer: 7)
            try object.load()
            if pinned { try directory.pin(try object.map("test_chain"), as: "test_chain") }
            let program = SharedDescriptor(try object.program("enter"))
            #expect(try run(program) == 7)
            return program
        }
        let unpinned = try load(pinned: false)
        #expect(try await eventually { try run(unpinned) == 99 })
        let pinned = try load(pinned: true)
        try await Task.sleep(for: .milliseconds(100))
        #expect(try run(pinned) == 7)
        try directory.unpin("test_chain")
        #expect(try await eventually { try run(pinned) == 99 })
    }

    /// Why a program array is never adopted: the old program runs on into the new one.
    @Test func anAdoptedProgramArrayMixesOldAndNew() throws {
        let pins = try TestPins()
        let directory = try PinDirectory(root: pins.path, name: "chain")
        let first = try object(answer: 1)
        try first.load()
        try first.pinMaps(in: directory)
        let old = SharedDescriptor(try first.program("enter"))
        #expect(try run(old) == 1)
        let second = try object(answer: 2)
        try second.adoptMaps(from: directory)
        try second.load()
        #expect(try run(old) == 2)
    }

    @Test func aFreshProgramArrayTakesTheOlderOnesPlace() async throws {
        let pins = try TestPins()
        let directory = try PinDirectory(root: pins.path, name: "chain")
        let old: SharedDescriptor
        do {
            let object = try object(answer: 1)
            try object.load()
            try object.pinMaps(in: directory)
            old = SharedDescriptor(try object.program("enter"))
        }
        let new: SharedDescriptor
        do {
            let object = try object(answer: 2)
            try object.adoptMaps(from: directory, except: ["test_chain"])
            try object.load()
            new = SharedDescriptor(try object.program("enter"))
            // As when the programs could not be replaced: nothing that runs is harmed.
            #expect(throws: BPFError.failed("replace", .noLink)) {
                try directory.replace(try object.map("test_chain"), as: "test_chain") {
                    () throws(BPFError) in throw .failed("replace", .noLink)
                }
            }
        }
        try await Task.sleep(for: .milliseconds(100))
        #expect(try run(old) == 1 && run(new) == 2)

        let newest: SharedDescriptor
        do {
            let object = try object(answer: 3)
            try object.adoptMaps(from: directory, except: ["test_chain"])
            try object.load()
            newest = SharedDescriptor(try object.program("enter"))
            try directory.replace(try object.map("test_chain"), as: "test_chain") { () throws(BPFError) in
                do {
                    #expect(try run(old) == 1 && run(new) == 2 && run(newest) == 3)
                } catch {
                    Issue.record(error)
                }
            }
        }
        #expect(try Files.list(directory.path) == ["test_chain", "test_hash", "test_ring"])
        #expect(try await eventually { try run(old) == 99 && run(new) == 99 })
        #expect(try run(newest) == 3)
    }

    @Test func adoptedMapsKeepTheirContent() throws {
        let pins = try TestPins()
        let directory = try PinDirectory(root: pins.path, name: "chain")
        let first = try object(answer: 1)
        try first.load()
        try first.pinMaps(in: directory)
        let hash = try BPFMap<Word, Word>(try first.map("test_hash"), name: "test_hash")
        try hash.upsert([MapEntry(1, 1)])
        let second = try object(answer: 2)
        try second.adoptMaps(from: directory, except: ["test_chain"])
        try second.load()
        #expect(try run(SharedDescriptor(try second.program("enter"))) == 1002)
        try directory.unpin("test_hash")
        let third = try object(answer: 3)
        let error = #expect(throws: BPFError.self) { try third.adoptMaps(from: directory) }
        #expect(error?.description.hasPrefix("pinned map test_hash has another layout (no pin in") == true)
    }
}
