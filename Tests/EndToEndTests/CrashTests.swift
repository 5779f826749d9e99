// Seeded crashes: KMESH_CRASH_ROUNDS says how many, KMESH_CRASH_SEED repeats a run as far as time does.
import CKmeshABI
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

private func number(_ name: String) -> UInt64? {
    unsafe getenv(name).flatMap { UInt64(unsafe String(cString: $0)) }
}

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: network namespaces, cgroups and eBPF"))
final class CrashTests {
    let node: SandboxNode

    init() throws {
        node = try SandboxNode(
            fixture: "every-kind.yaml", name: "crash", arguments: ["--node-name", "node-a"])
    }

    deinit {
        do {
            try node.down()
        } catch {
            Issue.record(error)
        }
    }

    @Test func theNextStartFindsItsWayFromEveryInstant() throws {
        let seed = number("KMESH_CRASH_SEED") ?? UInt64.random(in: 0..<1_000_000)
        let count = Int(number("KMESH_CRASH_ROUNDS") ?? 16)
        print("crashes: seed \(seed), \(count) rounds")
        let rounds = try CrashRounds(node, seed: seed)
        defer { rounds.stop() }
        var dialing: Client?
        for round in 1...count {
            if dialing == nil {
                dialing = try node.launch("client", "connects", "10.96.7.1", "80", "600")
                // Until it dials.
                usleep(300_000)
            }
            let (instant, cutsTraffic) = try rounds.play()
            let place: Comment = "seed \(seed), round \(round): killed in \(instant.rawValue)"
            print("crashes: round \(round), \(instant.rawValue)")
            // Most rounds follow upon another crash, and not upon a start that was whole.
            guard round % 3 == 0 || round == count || cutsTraffic else { continue }
            do {
                try rounds.settle()
                try check(rounds.moved, place)
            } catch {
                Issue.record(error, place)
                return
            }
            // Without pins, nobody steers until the next start.
            if cutsTraffic || round == count, let client = dialing.take() {
                let connects = try client.finish().first ?? [:]
                #expect(cutsTraffic || connects["failed"] == "0", "\(place): \(connects)")
                #expect(Int(connects["connected"] ?? "") ?? 0 > 0, "\(place): \(connects)")
            }
        }
    }

    private func check(_ moved: [String], _ place: Comment) throws {
        let verified = try node.control("verify")
        #expect(verified.status == 0, "\(place): \(verified.output)\(verified.errors)")
        #expect(node.daemonStatus()?.enrolled == 8, place)
        #expect(
            try Files.list("\(node.directory)/bpf/kmesh")
                == ["authz-v1", "dual-engine-v\(KMESH_LAYOUT_VERSION)", "telemetry-v1"], place)
        for address in ["10.96.7.1", moved[0], moved[2]] {
            let answers = try node.probe("client", "tcp", address, "80", "2")
            #expect(
                answers.count == 2
                    && answers.allSatisfy { $0["peer"] == "\(address):80" && $0["pod"] != nil },
                "\(place): \(address): \(answers)")
        }
    }
}
