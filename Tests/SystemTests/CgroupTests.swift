import Glibc
import Testing

@testable import KmeshKit

@Suite(.enabled(if: Privileges.isRoot, "needs root: makes cgroups"))
struct CgroupTests {
    @Test func processesLiveAndEndInIt() throws {
        let mount = try #require(try Cgroup.mountPoint(), "no cgroup v2 is mounted")
        let parent = Cgroup(path: "\(mount)/kmesh-test-\(getpid())-group")
        let child = Cgroup(path: "\(parent.path)/child")
        try parent.create()
        try child.create()
        #expect(throws: Errno.exists) { try child.create() }
        #expect(try parent.id() != child.id())
        var program = Program("/bin/sleep", ["1000"])
        program.cgroup = child
        let process = try program.start()
        #expect(try child.processes() == [process.id])
        #expect(try parent.processes().isEmpty)
        #expect(try parent.isPopulated())
        #expect(throws: Errno.busy) { try parent.removeTree() }
        #expect(try process.exitCode() == nil)
        try parent.kill()
        #expect(try process.wait() == 128 + SIGKILL)
        #expect(try !parent.isPopulated())
        try parent.removeTree()
        #expect(!parent.exists)
        // All of it is fine when nothing is there.
        try parent.kill()
        try parent.removeTree()
        #expect(try parent.processes().isEmpty)
        #expect(try !parent.isPopulated())
    }
}
