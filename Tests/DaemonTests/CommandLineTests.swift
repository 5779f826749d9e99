import Foundation
import KmeshDaemon
import KmeshKit
import KmeshTestSupport
import Testing

/// `kmeshctl` as people run it, against a daemon with a fake engine.
@Suite struct CommandLineTests {
    @Test func enrollsDumpsVerifiesAndWithdraws() async throws {
        guard let namespace = try await FreshNamespace.make() else { return }
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let enroll = ["enroll", "--pod", "default/a", "--netns", namespace.path, "--address", "10.0.0.1"]
            guard let enrolled = try await kmeshctl(daemon, enroll) else { return }
            #expect(
                enrolled.output == "enrolled default/a (10.0.0.1)\n" && enrolled.status == 0, "\(enrolled)")
            let table = try await kmeshctl(daemon, ["dump", "enrolled"])
            #expect(
                table?.output.contains("default/a  default/a  10.0.0.1   eth0") == true,
                "\(String(describing: table))")
            let json = try await kmeshctl(daemon, ["dump", "enrolled", "-o", "json"])
            let value = try JSONValue(parsing: json?.output ?? "")
            #expect(value["enrolled"]?.array?.first?["name"] == "a")
            let yaml = try await kmeshctl(daemon, ["dump", "enrolled", "-o", "yaml"])
            #expect(yaml?.output.contains("- uid: default/a\n  namespace: default\n") == true)
            #expect(try await kmeshctl(daemon, ["verify"])?.output == "the kernel's maps are as wanted\n")
            let withdrawn = try await kmeshctl(daemon, ["withdraw", "--pod", "default/a"])
            #expect(withdrawn?.output == "withdrew default/a\n")
            let again = try await kmeshctl(daemon, ["withdraw", "--pod", "default/a"])
            #expect(again?.status == 1 && again?.errors.contains("pod default/a is not enrolled") == true)
        }
    }

    @Test func verifyExitsWithOneWhenMapsDiffer() async throws {
        let daemon = try TestDaemon()
        await daemon.engine.differ([Difference(map: "km_service", key: "7", wanted: "x", found: nil)])
        try await daemon.whileRunning { daemon async throws in
            guard let outcome = try await kmeshctl(daemon, ["verify"]) else { return }
            #expect(outcome.status == 1)
            #expect(outcome.output.contains("km_service  7    x       nothing\n"), "\(outcome.output)")
        }
    }

    @Test func authorizationIsShownSwitchedAndExplained() async throws {
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            guard let status = try await kmeshctl(daemon, ["authz", "status"]) else { return }
            #expect(status.output.contains("enforcing            yes\n"), "\(status)")
            #expect(
                status.output.contains("AuthorizationPolicy shop/buyers  ALLOW (dry run)  2          7\n"))
            #expect(status.output.contains("shop/web  10.0.0.1   sk_lookup  1         8081\n"))
            let json = try await kmeshctl(daemon, ["authz", "status", "-o", "json"])
            let value = try JSONValue(parsing: json?.output ?? "")
            #expect(value["endedConnections"]?.integer(Int.self) == 3, "\(String(describing: json))")

            let disabled = try await kmeshctl(daemon, ["authz", "disable"])
            #expect(disabled?.output == "authorization is switched off\n")
            #expect(await daemon.authorizer.isEnforcing == false)
            #expect(try await kmeshctl(daemon, ["authz", "enable"])?.output == "authorization is enforced\n")

            let allowed = try await kmeshctl(daemon, ["authz", "explain", "10.0.0.2", "10.0.0.1", "80"])
            #expect(allowed?.status == 0 && allowed?.output.hasPrefix("ALLOW  10.0.0.2 -> 10.0.0.1") == true)
            let denied = try await kmeshctl(daemon, ["authz", "explain", "10.0.0.3", "10.0.0.1", "80"])
            #expect(denied?.status == 1 && denied?.output.hasPrefix("DENY") == true)
            let unknown = try await kmeshctl(daemon, ["authz", "explain", "shop/nobody", "10.0.0.1", "80"])
            #expect(unknown?.status == 2 && unknown?.errors.contains("no pod shop/nobody") == true)
            let wrong = try await kmeshctl(daemon, ["authz", "explain", "10.0.0", "10.0.0.1", "80"])
            #expect(wrong?.status == 64, "\(String(describing: wrong))")
        }
    }

    @Test func saysThatNoDaemonRuns() async throws {
        let daemon = try TestDaemon()
        guard let outcome = try await kmeshctl(daemon, ["status"]) else { return }
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("no daemon answers at \(daemon.options.adminSocket)"))
    }

    /// Another user is stopped by the socket's mode, and by the daemon where the mode was widened; a member
    /// of the socket's group is served.
    @Test func onlyRootAndTheGroupAreServed() async throws {
        guard getuid() == 0, Files.exists("/usr/bin/setpriv") else {
            print("skipped: becoming another user needs root and setpriv (package util-linux)")
            return
        }
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let member = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=54321"]
        let daemon = try TestDaemon()
        try await daemon.whileRunning { daemon async throws in
            let socket = daemon.options.adminSocket
            try FileManager.default.setAttributes([.groupOwnerAccountID: 54321], ofItemAtPath: socket)
            guard let stopped = try await kmeshctl(daemon, ["status"], as: nobody) else { return }
            #expect(stopped.status == 1)
            #expect(stopped.errors.contains("become root or a member of group 54321"), "\(stopped)")
            let served = try await kmeshctl(daemon, ["status"], as: member)
            #expect(served?.status == 0, "\(String(describing: served))")

            try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: socket)
            let refused = try await kmeshctl(daemon, ["status"], as: nobody)
            #expect(refused?.status == 1)
            let reason = "user 65534 is neither root nor a member of group 54321"
            #expect(refused?.errors.contains(reason) == true, "\(String(describing: refused))")
            #expect(try await daemon.status().admin.notPermitted == 1)
        }
    }
}
