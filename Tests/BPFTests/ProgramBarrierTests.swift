import BPFLoader
import Testing

@testable import KmeshKit

@Suite(.enabled(if: Privileges.isRoot, "needs root: loads BPF programs"))
struct ProgramBarrierTests {
    /// The program of `slow_test.bpf.c` takes long enough to be caught in the middle.
    @Test(.timeLimit(.minutes(1))) func aProgramThatRunsIsWaitedFor() async throws {
        let object = try testObject("slow_test")
        try object.load()
        let program = SharedDescriptor(try object.program("run_long"))
        let state = try BPFMap<Word, Word>(try object.map("test_state"), name: "test_state")
        let period = try ProgramBarrier()
        // A program keeps its CPU: whoever looks may come too late where there are few.
        for _ in 0..<20 {
            try state.upsert([MapEntry(0, 0)])
            let (before, after) = try await withThrowingTaskGroup { group in
                group.addTask {
                    try await DedicatedThread.run("test-slow") { () throws(Errno) in
                        let program = BPFProgram(try program.file.duplicate())
                        _ = try? program.run(packet: [UInt8](repeating: 0, count: 64))
                    }
                }
                while try state.value(of: 0) == 0 { try await Task.sleep(for: .milliseconds(1)) }
                let before = try state.value(of: 0)
                try await period.passed()
                let after = try state.value(of: 0)
                try await group.waitForAll()
                return (before, after)
            }
            #expect(after == 2, "it has ended")
            if before == 1 { return }
        }
        Issue.record("no program was seen running")
    }
}
