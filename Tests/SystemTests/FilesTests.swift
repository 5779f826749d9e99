import Glibc
import Testing

@testable import KmeshKit

@Suite struct FilesTests {
    private let path = "/tmp/kmesh-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    @Test func overwritingKeepsTheFile() throws {
        defer { try? Files.remove(path) }
        try Files.overwrite(path, with: Array("a longer text".utf8))
        let inode = try FileStatus(path: path).inode
        try Files.overwrite(path, with: Array("short".utf8))
        #expect(try Files.readText(path) == "short")
        #expect(try FileStatus(path: path).inode == inode)
    }

    @Test func aLockIsHeldOnceAndItsFileMayGo() throws {
        defer { try? Files.remove(path) }
        let lock = try FileLock.take(path)
        #expect(throws: FileLock.Failure.held(by: String(getpid()))) { _ = try FileLock.take(path) }
        try Files.remove(path)
        // The old holder's file is gone; a new one counts.
        let other = try FileLock.take(path)
        lock.release()
        other.release()
    }
}
