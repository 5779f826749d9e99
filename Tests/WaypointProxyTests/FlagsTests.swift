/// Flags of `kmesh-waypoint`: what they mean, and what is said of bad ones.
import KmeshKit
import Testing
import WaypointProxy

@testable import kmesh_waypoint

@Suite struct FlagsTests {
    @Test func withoutFlagsEverythingIsStandard() throws {
        let options = try options("--mesh-file", "mesh.yaml")
        #expect(options.source == "mesh.yaml")
        #expect(options.listeners.map(\.address.description) == ["[::]:8080", "[::]:15019"])
        #expect(options.listeners.map(\.kind) == [.plain, .metadata(option: true, prefix: true)])
        #expect(options.statusAddress.description == "[::]:15021")
        #expect(options.proxy.workers == 0)
        #expect(options.drainTimeout == .seconds(30))
        #expect(options.accessLog == .off)
        #expect(options.waypoint == nil)
    }

    @Test func listenersComeInThreeKinds() throws {
        let options = try options(
            "--mesh-file=m", "--listen", "80", "--listen", "127.0.0.1:81=metadata", "--listen",
            "[::1]:82=reviews.prod:9080", "--listen=83=ratings:90", "--namespace", "shop",
            "--waypoint-metadata", "tlv", "--trusted-proxies", "10.0.0.0/8,::1")
        #expect(
            options.listeners.map(\.address.description) == [
                "[::]:80", "127.0.0.1:81", "[::1]:82", "[::]:83",
            ])
        #expect(options.listeners[1].kind == .metadata(option: false, prefix: true))
        #expect(options.listeners[2].kind == .servicePort(service("reviews", "prod", 9080)))
        #expect(options.listeners[3].kind == .servicePort(service("ratings", "shop", 90)))
        #expect(options.listeners[0].acceptsProxyProtocolFrom.count == 2)
    }

    @Test func valuesAreTyped() throws {
        let options = try options(
            "--mesh-file", "m", "--concurrency", "3", "--connect-timeout", "250ms", "--idle-timeout", "2m",
            "--drain-timeout", "0", "--max-body-bytes", "1000000", "--max-header-count", "50",
            "--access-log", "json", "--waypoint", "default/w")
        #expect(options.proxy.workers == 3)
        #expect(options.proxy.timeouts.connect == 250)
        #expect(options.proxy.timeouts.downstreamIdle == 120_000)
        #expect(options.drainTimeout == .zero)
        #expect(options.proxy.limits.body == 1_000_000)
        #expect(options.proxy.limits.fields == 50)
        #expect(options.accessLog == .json)
        #expect(options.waypoint == service("w", "default", 1).servicePort?.key)
    }

    @Test(arguments: [
        (["--lsten", "80"], "unknown flag --lsten; did you mean --listen?"),
        (["--completely-unlike"], "unknown flag --completely-unlike"),
        (["mesh.yaml"], "unexpected argument 'mesh.yaml'"),
        (["--mesh-file"], "--mesh-file needs a value: <path>"),
        (["--mesh-file", "a", "--mesh-file", "b"], "--mesh-file is given twice"),
        (["--allow-empty=yes"], "--allow-empty takes no value"),
        (["--connect-timeout", "5"], "'5' is not a duration like 100ms, 5s, 1m or 2h"),
        (["--connect-timeout", "-5s"], "'-5s' is not a duration"),
        (["--listen", "reviews:9080"], "'reviews:9080' is not [ADDRESS:]PORT"),
        (["--listen", "80=reviews"], "is not [ADDRESS:]PORT"),
        (["--listen", "::1:80"], "is not [ADDRESS:]PORT"),
        (["--listen", "65536"], "is not [ADDRESS:]PORT"),
        (["--trusted-proxies", "10.0.0.0/33"], "is not a list of networks"),
        (["--access-log", "xml"], "'xml' is not one of off, text, json"),
        (["--log-level", "loud"], "is not one of trace, debug"),
        (["--max-header-count", "1001"], "is not a number from 1 to 1000"),
        (["--waypoint", "w"], "is not NAMESPACE/NAME"),
        ([], "--mesh-file is missing"),
        (["--mesh-file", "a", "--access-log-file", "b"], "--access-log-file without --access-log"),
        (["--mesh-file", "a", "--listen", "80", "--listen", "80=metadata"], "--listen names [::]:80 twice"),
    ])
    func badFlagsAreExplained(arguments: [String], message: String) {
        let error = #expect(throws: FlagError.self) { try options(arguments) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func helpNamesEveryFlagOnceAndFits() {
        let help = Arguments.flags.help(width: 100)
        for flag in Arguments.flags.flags {
            #expect(
                help.split(separator: "\n").count {
                    $0.hasPrefix("  --\(flag.name) ") || $0 == "  --\(flag.name)"
                } == 1)
        }
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 101 })
        #expect(Set(Arguments.flags.flags.map(\.name)).count == Arguments.flags.flags.count)
    }

    @Test func whoAsksForHelpGetsItWhateverElseIsThere() throws {
        guard case .help = try Arguments.flags.parse(["--mesh-file", "a", "-h"], into: Arguments()) else {
            Issue.record("no help")
            return
        }
    }

    private func options(_ arguments: String...) throws -> WaypointOptions { try options(arguments) }

    private func options(_ arguments: [String]) throws -> WaypointOptions {
        guard case .run(let values) = try Arguments.flags.parse(arguments, into: Arguments()) else {
            throw FlagError("help or version")
        }
        return try values.options()
    }

    private func service(_ name: String, _ namespace: String, _ port: UInt16) -> BackendReference {
        BackendReference(
            service: ServiceKey(
                namespace: namespace, hostname: "\(name).\(namespace).svc.cluster.local"), port: port)
    }
}
