/// `kmesh-waypoint`: the L7 proxy.
import Glibc
import KmeshKit
import Logging
import MeshFile
import WaypointProxy

@main
struct KmeshWaypoint {
    static func main() async {
        do throws(FlagError) {
            let arguments = Array(CommandLine.arguments.dropFirst())
            switch try Arguments.flags.parse(arguments, into: Arguments()) {
            case .help:
                print("\(Arguments.usage)\n\nFlags:\n\(Arguments.flags.help())")
            case .version:
                print("kmesh-waypoint \(KmeshVersion.current)")
            case .run(let arguments):
                await run(arguments, try arguments.options())
            }
        } catch {
            StandardError.write("kmesh-waypoint: \(error)")
            exit(EX_USAGE)
        }
    }

    private static func run(_ arguments: Arguments, _ options: WaypointOptions) async {
        let levels = LogLevels(arguments.logLevel)
        levels.install()
        var files = MeshFileOptions()
        files.allowEmpty = arguments.allowEmpty
        do throws(WaypointError) {
            let source = MeshFileConfiguration(options.source, options: files)
            try await WaypointProcess(options, source: source, levels: levels).run()
        } catch {
            StandardError.write("kmesh-waypoint: \(error)")
            exit(EXIT_FAILURE)
        }
    }
}
