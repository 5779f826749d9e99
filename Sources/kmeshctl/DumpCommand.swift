/// `kmeshctl dump`: what the engine has in force, read from the kernel.
import ArgumentParser
import KmeshKit

struct DumpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Prints what is in force on this node.")

    enum Part: String, ExpressibleByArgument, CaseIterable {
        case all, services, frontends, endpoints, enrolled, reasons, maps

        var sections: Set<DumpSection> {
            DumpSection(rawValue: rawValue).map { [$0] } ?? Set(DumpSection.allCases)
        }
    }

    @Argument(help: "services, frontends, endpoints, enrolled, reasons, maps or all.")
    var part = Part.all

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func run() throws {
        let answer = try daemon.ask(.dump(part.sections))
        guard case .dump(let snapshot, let sections) = answer.response, let value = answer.json["dump"] else {
            try daemon.failUnexpected()
        }
        format.write(value) { snapshot.table(sections) }
    }
}
