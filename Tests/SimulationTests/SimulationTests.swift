// Random histories of a mesh. KMESH_SIM_SEED repeats one, KMESH_SIM_STEPS makes it longer or shorter.
import Glibc
import KmeshKit
import Testing

private func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
}

/// Without a variable these; with an empty one a seed that nobody tried yet.
private let seeds: [UInt64] = {
    guard let text = environment("KMESH_SIM_SEED") else { return Array(1...8) }
    return [UInt64(text) ?? UInt64.random(in: 0..<1_000_000)]
}()

private let steps = environment("KMESH_SIM_STEPS").flatMap { Int($0) } ?? 300

@Suite(.serialized) struct SimulationTests {
    @Test(arguments: seeds)
    func theMapsFollowTheMesh(seed: UInt64) throws {
        print("simulation: seed \(seed), \(steps) steps")
        var simulation = Simulation(seed: seed)
        try simulation.run(steps: steps)
    }
}
