import Glibc
import Testing

@testable import KmeshKit

@Suite struct ProgramTests {
    @Test func outputAndExitCode() throws {
        let shell = try #require(Program.find("sh"))
        let outcome = try Program(shell, ["-c", "echo out; echo err >&2; exit 3"]).run(mergingError: true)
        #expect(outcome.code == 3)
        #expect(outcome.text == "out\nerr\n")
        #expect(try Program(shell, ["-c", "kill -9 $$"]).run().code == 128 + SIGKILL)
        #expect(
            try Program(shell, ["-c", "echo $ONLY $HOME"], environment: ["ONLY=this"]).run().text == "this\n")
    }

    @Test func failuresNameTheirStep() throws {
        let missing = #expect(throws: LaunchError.self) { _ = try Program("/nowhere/program").start() }
        #expect(missing?.errno == .noEntry && missing?.step == "execute it")
        var program = Program("/bin/sh", ["-c", "true"])
        program.directory = "/nowhere"
        let lost = #expect(throws: LaunchError.self) { _ = try program.start() }
        #expect(lost?.step == "change to /nowhere")
        #expect(Program.find("no-such-program-here") == nil)
        #expect(Program.find("/etc") == nil)
    }

    @Test func tooMuchOutputEndsIt() throws {
        let shell = try #require(Program.find("sh"))
        #expect(throws: Errno.self) {
            _ = try Program(shell, ["-c", "exec yes"]).run(limit: 100_000)
        }
    }

    @Test(.enabled(if: Privileges.isRoot, "needs root: makes cgroups and namespaces"))
    func startsInItsCgroupAndNamespaces() throws {
        let mount = try #require(try Cgroup.mountPoint(), "no cgroup v2 is mounted")
        let cgroup = Cgroup(path: "\(mount)/kmesh-test-\(getpid())-program")
        let hosts = "/tmp/kmesh-test-\(getpid())-hosts"
        try cgroup.create()
        try Files.overwrite(hosts, with: Array("10.9.8.7 somewhere\n".utf8))
        defer {
            try? Files.remove(hosts)
            #expect(throws: Never.self) { try cgroup.removeTree() }
        }
        var program = Program(
            "/bin/sh", ["-c", "cat /proc/self/cgroup /etc/hosts; hostname; ls /proc/self/fd | wc -l"])
        program.cgroup = cgroup
        program.hosts = hosts
        program.hostname = "one"
        let text = try program.run().text
        #expect(text.contains("0::/kmesh-test-\(getpid())-program\n"))
        #expect(text.contains("10.9.8.7 somewhere\none\n"))
        #expect(try !Files.readText("/etc/hosts").contains("10.9.8.7"))
        // Standard streams and that of the directory which is listed: nothing else came along.
        #expect(text.hasSuffix("\n4\n"), "\(text)")
    }
}
