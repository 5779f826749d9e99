/// Rounds that each kill the daemon at some instant, and the next start that has to find its way.
import CKmeshABI
import Foundation
import Glibc
import KmeshKit
import KmeshTestSupport

final class CrashRounds {
    /// What the daemon does when it is killed.
    enum Instant: String, CaseIterable {
        case start, freshStart, migration, update, enrolment, end, takeover
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) { self.description = description }
    }

    let node: SandboxNode
    private var random: SplitMix64
    private let mesh: String
    /// Addresses of three services, which move.
    private(set) var moved = ["10.96.7.2", "10.96.7.3", "10.96.7.4"]
    private var daemon: Process?
    /// Of a start until the configuration is in force; measured.
    private var startTime = 0.4

    init(_ node: SandboxNode, seed: UInt64) throws {
        self.node = node
        random = SplitMix64(seed: seed)
        mesh = try String(contentsOfFile: node.meshFile, encoding: .utf8)
        try node.endDaemon(SIGKILL)
        let start = Date()
        try settle()
        startTime = Date().timeIntervalSince(start)
    }

    private var root: String { "\(node.directory)/bpf" }

    /// A round's kind; whether traffic may have been cut off by what the round itself did.
    func play() throws -> (instant: Instant, cutsTraffic: Bool) {
        var instant = Instant.allCases.randomElement(using: &random) ?? .start
        switch instant {
        case .start:
            stop()
            if Bool.random(using: &random) { try rewriteMesh() }
            try killStart()
        case .freshStart:
            stop()
            for part in ["dual-engine-v\(KMESH_LAYOUT_VERSION)", "dual-engine-v3", "authz-v1"] {
                try PinDirectory(root: root, name: part).removeAll()
            }
            try killStart()
        case .migration:
            stop()
            let earlier = try EarlierDataplane(root: root, cgroup: node.cgroup)
            if earlier.current.exists { try earlier.install() } else { instant = .start }
            try killStart()
        case .update:
            try settle()
            try rewriteMesh()
            pause(upTo: 0.15)
            stop()
        case .enrolment: try killEnrolment()
        case .end:
            try settle()
            if let daemon { kill(daemon.processIdentifier, SIGTERM) }
            pause(upTo: 0.05)
            stop()
        case .takeover: try killTakeover()
        }
        return (instant, instant == .freshStart)
    }

    /// Starts a daemon when none runs, and waits until its configuration is in force.
    func settle() throws {
        if daemon == nil { daemon = try node.launchDaemon([]) }
        try node.wait(for: "the configuration") {
            guard daemon?.isRunning == true else {
                throw Failure("the daemon did not start")
            }
            return node.daemonStatus()?.isConfigured == true
        }
    }

    /// Kills the daemon that runs.
    func stop() {
        guard let running = daemon.take() else { return }
        kill(running.processIdentifier, SIGKILL)
        running.waitUntilExit()
    }

    private func killStart() throws {
        daemon = try node.launchDaemon([])
        pause(upTo: startTime * 1.1)
        stop()
    }

    private func killTakeover() throws {
        try settle()
        let second = try node.launchDaemon(["--takeover"])
        pause(upTo: startTime * 1.1)
        if Bool.random(using: &random) { stop() }
        pause(upTo: 0.05)
        kill(second.processIdentifier, SIGKILL)
        second.waitUntilExit()
        // The first one runs on if it had not been asked yet.
        pause(upTo: 0.02)
        stop()
    }

    /// An answer that came is true after the next start.
    private func killEnrolment() throws {
        try settle()
        let store = try EnrollmentStore.open(stateDirectory: "\(node.directory)/state").store
        guard let pod = store.workloads.first(where: { $0.pod.name.hasPrefix("near") }) else {
            throw Failure("pod near is not enrolled")
        }
        let client = AdminClient(path: "\(node.directory)/kmesh.sock", timeout: 10)
        let instant = DispatchTime.now() + Double.random(in: 0...0.03, using: &random)
        let running = daemon?.processIdentifier ?? 0
        DispatchQueue.global().asyncAfter(deadline: instant) { kill(running, SIGKILL) }
        let answer = try? client.ask(.withdraw(.id(pod.id))).response
        daemon?.waitUntilExit()
        daemon = nil
        try settle()
        if case .withdrawn = answer, node.daemonStatus()?.enrolled != 7 {
            throw Failure("a pod that was withdrawn is enrolled again")
        }
        let request = EnrollmentRequest(
            pod: pod.pod, uid: pod.id.text, networkNamespacePath: pod.networkNamespacePath,
            interface: pod.interface, addresses: pod.addresses, cgroupPath: pod.cgroupPath)
        guard case .enrolled = try client.ask(.enroll(request)).response else {
            throw Failure("pod near cannot be enrolled again")
        }
        stop()
    }

    /// Other addresses for three services, and a number of services and policies besides.
    private func rewriteMesh() throws {
        var text = mesh
        let places = (20..<200).shuffled(using: &random)
        for (index, original) in ["10.96.7.2", "10.96.7.3", "10.96.7.4"].enumerated() {
            moved[index] = "10.96.7.\(places[index])"
            for quote in ["\"", ",", "]", "\n"] {
                text = text.replacingOccurrences(of: original + quote, with: moved[index] + quote)
            }
        }
        for number in 0..<Int.random(in: 0...200, using: &random) {
            text += """
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: more-\(number)}
                spec: {clusterIP: 10.97.0.\(number), ports: [{port: 80}]}

                """
        }
        for number in 0..<Int.random(in: 0...10, using: &random) {
            text += """
                ---
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: more-\(number)}
                spec: {rules: [{to: [{operation: {ports: ["\(8000 + number)"]}}]}]}

                """
        }
        try text.write(toFile: node.meshFile, atomically: true, encoding: .utf8)
    }

    private func pause(upTo seconds: Double) {
        usleep(UInt32(Double.random(in: 0...seconds, using: &random) * 1_000_000))
    }
}
