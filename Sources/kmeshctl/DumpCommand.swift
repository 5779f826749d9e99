/// `kmeshctl dump`: what the engine was given, what is in force, and what the kernel's maps hold.
import ArgumentParser
import KmeshKit

struct DumpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Prints what is in force on this node, or the kernel's maps.",
        usage: """
            kmeshctl dump [services|frontends|endpoints|enrolled|reasons|maps|all ...]
            kmeshctl dump dual-engine|kernel-native
            kmeshctl dump --bpf [dual-engine|kernel-native] [<map> ...] [--all]
            """,
        discussion: """
            Without --bpf: what is in force, by parts, or with the name of a mode the configuration as \
            it was given. With --bpf: every entry of the kernel's maps, keys and values, with names \
            instead of numbers.

            Examples:
              kmeshctl dump                           everything that is in force
              kmeshctl dump services endpoints        services with their endpoints
              kmeshctl dump dual-engine -o yaml       the configuration as it was given
              kmeshctl dump --bpf                     all maps
              kmeshctl dump --bpf km_service slot     two of them; km_ may be left out
              kmeshctl dump --bpf frontend --all      one without a bound on its entries
            """)

    @Argument(
        help: "Parts, the name of a mode, or with --bpf names of maps. [default: all]")
    var what: [String] = []

    @Flag(help: "Reads the kernel's maps.")
    var bpf = false

    @Flag(help: "Shows every entry of the maps, however many there are.")
    var all = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    private var modes: [String] { what.filter(DumpName.all.contains) }

    func validate() throws {
        guard modes.count <= 1 else { throw ValidationError("give one mode") }
        guard !all || bpf else { throw ValidationError("--all goes with --bpf") }
        guard !bpf else { return }
        guard modes.isEmpty || what.count == 1 else {
            throw ValidationError("give either parts or the name of a mode")
        }
        let parts = DumpSection.allCases.map(\.rawValue) + ["all"]
        for part in what where modes.isEmpty && !parts.contains(part) {
            throw ValidationError(
                "\(part) cannot be dumped; there are " + (parts + DumpName.all).joined(separator: ", ")
                    + ", and with --bpf the kernel's maps")
        }
    }

    func run() throws {
        if let mode = modes.first { try check(mode) }
        if bpf {
            try dumpMaps()
        } else if modes.isEmpty {
            try dumpSections()
        } else {
            try dumpConfiguration()
        }
    }

    /// That this mode runs.
    private func check(_ mode: String) throws {
        guard case .version(let report) = try daemon.ask(.version).response else {
            try daemon.failUnexpected()
        }
        if let problem = DumpName.problem(mode, running: report.mode) { try fail(problem) }
    }

    private func dumpSections() throws {
        let named = Set(what.compactMap(DumpSection.init))
        let sections = named.isEmpty || what.contains("all") ? Set(DumpSection.allCases) : named
        let answer = try daemon.ask(.dump(sections))
        guard case .dump(let snapshot, let sections) = answer.response, let value = answer.json["dump"] else {
            try daemon.failUnexpected()
        }
        format.write(value) { snapshot.table(sections) }
    }

    private func dumpConfiguration() throws {
        let answer = try daemon.ask(.configuration)
        guard case .configuration(let resources) = answer.response,
            let value = answer.json["configuration"]
        else { try daemon.failUnexpected() }
        format.write(value) { ResourceDump.table(resources) }
    }

    private func dumpMaps() throws {
        let names = what.filter { !DumpName.all.contains($0) }
        let query = MapQuery(names, limit: all ? nil : MapQuery.usualLimit)
        let answer = try daemon.ask(.maps(query))
        guard case .maps(let maps) = answer.response, let value = answer.json["maps"] else {
            try daemon.failUnexpected()
        }
        format.write(value) { maps.map(\.table).joined(separator: "\n") }
    }
}
