import KmeshTestSupport
import Testing

@testable import KmeshKit

@Suite struct SystemTests {
    @Test func theUnifiedHierarchyIsFoundAmongMounts() {
        let both = """
            24 1 0:22 / /sys rw - sysfs sysfs rw
            30 24 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
            31 30 0:27 /docker/x /mnt/part rw,nosuid shared:9 - cgroup2 cgroup2 rw
            32 30 0:27 / /sys/fs/cgroup/uni\\040fied rw,nosuid shared:9 master:1 - cgroup2 cgroup2 rw
            """
        #expect(CgroupMount.find(inMountInfo: both) == "/sys/fs/cgroup/uni fied")
        #expect(CgroupMount.find(inMountInfo: "") == nil)
        #expect(CgroupMount.find(inMountInfo: "1 2 3 / /x rw -\n1 2 3 / /x rw - cgroup cgroup rw") == nil)
    }

    @Test func aLockHasOneHolder() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/lock"
        let first = try FileLock.take(path)
        #expect(throws: FileLock.Failure.held(by: "\(ProcessIdentity.pid)")) {
            try FileLock.take(path).release()
        }
        first.release()
        try FileLock.take(path).release()
        withExtendedLifetime(directory) {}
    }

    @Test func workOnAThreadOfItsOwnReturnsOrThrows() async throws {
        #expect(try await DedicatedThread.run("test") { () throws(Errno) in 7 } == 7)
        let error = await #expect(throws: Errno.self) {
            try await DedicatedThread.run("a name that is too long for a thread") { () throws(Errno) -> Int in
                throw .busy
            }
        }
        #expect(error == .busy)
    }
}
