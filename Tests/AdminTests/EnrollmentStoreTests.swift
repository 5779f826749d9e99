import Foundation
import KmeshTestSupport
import Testing

@testable import KmeshKit

@Suite struct EnrollmentStoreTests {
    private func workload(_ number: Int, pod: String? = nil) -> LocalWorkload {
        LocalWorkload(
            id: LocalWorkload.ID("uid-\(number)"),
            pod: PodName(namespace: "default", name: pod ?? "p\(number)"),
            networkNamespacePath: "/run/netns/p\(number)",
            networkNamespace: NetworkNamespaceIdentity(inode: UInt64(number), cookie: UInt64(1000 + number)),
            interface: "eth0", addresses: [IPAddress(v4: UInt32(number))], cgroupPath: "/c/\"\(number)\"")
    }

    @Test func survivesARestart() throws {
        let directory = try TemporaryDirectory()
        var store = try EnrollmentStore.open(stateDirectory: directory.path).store
        for number in 1...5 { try store.insert(workload(number)) }
        try store.insert(workload(9, pod: "p1"))
        try store.remove([workload(3).id, workload(77).id])
        let (again, damage) = try EnrollmentStore.open(stateDirectory: directory.path)
        #expect(damage == nil)
        #expect(again.workloads == store.workloads)
        #expect(again.workloads.map(\.id.text) == ["uid-1", "uid-9", "uid-2", "uid-4", "uid-5"])
        #expect(again.workloads(of: PodName(namespace: "default", name: "p1")).count == 2)
        #expect(again.workload(inNamespace: 1004)?.id.text == "uid-4")
        #expect(again.workload(inNamespace: 1003) == nil)
        withExtendedLifetime(directory) {}
    }

    @Test func isBounded() throws {
        let directory = try TemporaryDirectory()
        var store = try EnrollmentStore.open(stateDirectory: directory.path, capacity: 2).store
        try store.insert(workload(1))
        try store.insert(workload(2))
        try store.insert(workload(2))
        let error = #expect(throws: EnrollmentError.self) { try store.insert(workload(3)) }
        #expect(error == .full(capacity: 2))
        #expect(store.count == 2)
        withExtendedLifetime(directory) {}
    }

    @Test(arguments: [
        "", "{", "[]", "{\"version\":2,\"workloads\":[]}", "{\"version\":1}",
        "{\"version\":1,\"workloads\":[{}]}",
        "{\"version\":1,\"workloads\":[{\"uid\":1}]}", "\u{0}\u{0}\u{0}",
    ])
    func aDamagedFileIsReportedAndKept(text: String) throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/enrolled.json"
        try Files.replace(path, with: Array(text.utf8))
        var (store, damage) = try EnrollmentStore.open(stateDirectory: directory.path)
        #expect(store.workloads.isEmpty)
        #expect(damage?.contains(path) == true)
        #expect(try Files.readText("\(path).damaged") == text)
        #expect(!Files.exists(path))
        try store.insert(workload(1))
        #expect(try EnrollmentStore.open(stateDirectory: directory.path).store.workloads == [workload(1)])
        withExtendedLifetime(directory) {}
    }

    /// A file cut anywhere is either damaged and set aside, or whole.
    @Test func aFileCutAnywhereIsNeverHalfRead() async throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/enrolled.json"
        var store = try EnrollmentStore.open(stateDirectory: directory.path).store
        try store.insert(workload(1))
        try store.insert(workload(2))
        let bytes = try Files.read(path)
        for length in [0, 1] + Array(stride(from: 2, to: bytes.count, by: 5)) + [
            bytes.count - 2, bytes.count - 1,
        ] {
            await Task.yield()
            try Files.replace(path, with: Array(bytes[..<length]))
            let (cut, damage) = try EnrollmentStore.open(stateDirectory: directory.path)
            // Without the last line end it is still whole.
            #expect(cut.count == (length == bytes.count - 1 ? 2 : 0))
            #expect((damage == nil) == (length == bytes.count - 1))
        }
        withExtendedLifetime(directory) {}
    }

    @Test func anUnwritableFileChangesNothing() throws {
        let directory = try TemporaryDirectory()
        var store = try EnrollmentStore.open(stateDirectory: "\(directory.path)/absent").store
        let error = #expect(throws: EnrollmentError.self) { try store.insert(workload(1)) }
        #expect(error == .stateNotSaved(path: store.path, errno: .noEntry))
        #expect(store.workloads.isEmpty)
        withExtendedLifetime(directory) {}
    }
}
