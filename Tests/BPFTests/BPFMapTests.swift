import CLinux
import Glibc
import Testing

@testable import KmeshKit

@Suite(.enabled(if: geteuid() == 0, "needs root: makes BPF maps"))
struct BPFMapTests {
    private func make(capacity: UInt32) throws -> BPFMap<EndpointKey, EndpointValue> {
        let number = kmesh_bpf_map_create(
            BPF_MAP_TYPE_HASH.rawValue, UInt32(EndpointKey.byteCount), UInt32(EndpointValue.byteCount),
            capacity, 1)
        guard number >= 0 else { throw Errno(-number) }
        return try BPFMap(FileDescriptor(owning: number), name: "test")
    }

    private func entry(_ index: UInt32) -> MapEntry<EndpointKey, EndpointValue> {
        MapEntry(
            EndpointKey(serviceID: 1, endpointID: index),
            EndpointValue(address: IPAddress(v4: index), port: UInt16(truncatingIfNeeded: index)))
    }

    @Test func whatIsWrittenIsRead() throws {
        let map = try make(capacity: 20_000)
        let entries = (0..<10_000).map { entry($0) }
        try map.upsert(entries)
        let contents = try map.contents()
        #expect(contents.entries == Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value) }))
        #expect(contents.damaged.isEmpty)
        #expect(try map.value(of: entry(5).key) == entry(5).value)
        #expect(try map.value(of: EndpointKey(serviceID: 2, endpointID: 5)) == nil)
    }

    @Test func removingSkipsWhatIsNotThere() throws {
        let map = try make(capacity: 100)
        try map.upsert((0..<10).map { entry($0) })
        try map.remove([50, 3, 51, 52, 4, 60].map { entry($0).key })
        #expect(try map.contents().entries.count == 8)
    }

    @Test func aFullMapSaysSo() throws {
        let map = try make(capacity: 4)
        let error = #expect(throws: MapError.self) { try map.upsert((0..<5).map { entry($0) }) }
        #expect(error?.isFull == true)
        #expect(error?.description == "map test is full")
    }

    @Test func anotherLayoutIsRefused() throws {
        let number = kmesh_bpf_map_create(BPF_MAP_TYPE_HASH.rawValue, 8, 64, 1, 0)
        let error = #expect(throws: BPFError.self) {
            _ = try BPFMap<EndpointKey, EndpointValue>(FileDescriptor(owning: number), name: "km_endpoint")
        }
        #expect("\(error!)".contains("km_endpoint has another layout (8+64 bytes"))
    }

    @Test func keysAreListedOneByOne() throws {
        let number = kmesh_bpf_map_create(BPF_MAP_TYPE_HASH.rawValue, 8, 8, 100, 1)
        let map = SharedDescriptor(FileDescriptor(owning: number))
        let keys = try BPFMapKeys(map, name: "test")
        #expect(try keys.numbers() == [])
        for key: UInt64 in [7, 1 << 40, .max] {
            var key = key
            let result = unsafe kmesh_bpf_map_update(number, &key, [0, 0] as [UInt32], 0)
            #expect(result == 0)
        }
        #expect(try keys.numbers().sorted() == [7, 1 << 40, .max])
    }

    @Test func elementsAreReadAsWords() throws {
        let number = kmesh_bpf_map_create(BPF_MAP_TYPE_ARRAY.rawValue, 4, 8, 2, 0)
        let array = try BPFMapKeys(SharedDescriptor(FileDescriptor(owning: number)), name: "test")
        var key: UInt32 = 1
        let result = unsafe kmesh_bpf_map_update(number, &key, [5, 6] as [UInt32], 0)
        #expect(result == 0)
        #expect(try array.words(at: 1, count: 2) == [5, 6])
        #expect(try array.words(at: 0, count: 2) == [0, 0])
        #expect(try array.words(at: 2, count: 2) == nil)
    }

    @Test func aForeignSealIsDamage() throws {
        let number = kmesh_bpf_map_create(
            BPF_MAP_TYPE_HASH.rawValue, UInt32(EndpointKey.byteCount), UInt32(EndpointValue.byteCount), 4, 1)
        var key: [UInt32] = [1, 2]
        var value: [UInt32] = [0, 0, 0, 0, 80, 12345]
        #expect(unsafe kmesh_bpf_map_update(number, &key, &value, 0) == 0)
        let map = try BPFMap<EndpointKey, EndpointValue>(FileDescriptor(owning: number), name: "test")
        let contents = try map.contents()
        #expect(contents.entries.isEmpty)
        #expect(contents.damaged == [EndpointKey(serviceID: 1, endpointID: 2)])
        #expect(try map.value(of: EndpointKey(serviceID: 1, endpointID: 2)) == nil)
    }
}
