import KmeshKit
import Testing

@testable import KmeshSandbox

@Suite struct SandboxStateTests {
    @Test func theFileSaysAll() throws {
        var state = try resolved(deployment("web", replicas: 3)).state
        state.settings.daemonPath = "/opt/kmesh-daemon"
        state.settings.daemonArguments = ["--log-level", "debug", "no", "null"]
        state.pods[1].isEnrolled = true
        state.services["default/web"] = [IPAddress(v4: 0x0a60_0001)]
        state.isUp = true
        #expect(try SandboxState(yaml: state.yaml) == state)
    }

    @Test(arguments: ["", "a: b", "settings: {families: [4], nodeName: n}", "{"])
    func aDamagedFileIsRefused(text: String) {
        #expect(throws: SandboxError.self) { _ = try SandboxState(yaml: text) }
    }

    @Test func addressesAreUniqueAndNotReusedAtOnce() throws {
        let mesh = try resolved(deployment("web", replicas: 20))
        var state = mesh.state
        #expect(Set(state.pods.flatMap(\.addresses)).count == 40)
        #expect(state.pods[0].addresses.map(\.description) == ["10.244.1.1", "fd00:10:244::101"])
        let set = try #require(mesh.plan.podSets.first)
        let gone = state.surplus(of: set, count: 15)
        #expect(gone.map(\.ordinal) == [19, 18, 17, 16, 15])
        state.pods.removeAll { gone.contains($0) }
        let added = try state.addPods(of: set, count: 20, mesh.plan)
        // The same names come back as other pods, at other addresses.
        #expect(Set(added.map(\.name)) == Set(gone.map(\.name)))
        #expect(Set(added.map(\.uid)).isDisjoint(with: gone.map(\.uid)))
        #expect(Set(added.flatMap(\.addresses)).isDisjoint(with: gone.flatMap(\.addresses)))
    }

    @Test func numbersWrapAndEnd() {
        #expect(AddressPlan.free(from: 5, in: 1...5, taken: [5]) == 1)
        #expect(AddressPlan.free(from: 3, in: 1...5, taken: [3, 4]) == 5)
        #expect(AddressPlan.free(from: 9, in: 1...3, taken: [1]) == 2)
        #expect(AddressPlan.free(from: 1, in: 1...3, taken: [1, 2, 3]) == nil)
    }

    @Test func tooManyPodsAreRefused() {
        #expect(throws: SandboxError.self) { _ = try resolved(deployment("web", replicas: 1001)) }
    }
}
