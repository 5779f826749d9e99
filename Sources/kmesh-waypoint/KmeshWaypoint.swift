/// `kmesh-waypoint`: the L7 proxy.
import Glibc
import KmeshKit
import Logging
import MeshFile
import WaypointProxy

@main
struct KmeshWaypoint {
    static func main() {
        do throws(FlagError) {
            let arguments = Array(CommandLine.arguments.dropFirst())
            switch try Arguments.flags.parse(arguments, into: Arguments()) {
            case .help:
                print("\(Arguments.usage)\n\nFlags:\n\(Arguments.flags.help())")
            case .version:
                print("kmesh-waypoint \(KmeshVersion.current)")
            case .run(let arguments):
                run(arguments, try arguments.options())
            }
        } catch {
            StandardError.write("kmesh-waypoint: \(error)")
            exit(EX_USAGE)
        }
    }

    /// The main thread only waits. As an asynchronous main it would end and leave the process to others,
    /// which programs that count instructions do not survive.
    private static func run(_ arguments: Arguments, _ options: WaypointOptions) -> Never {
        let levels = LogLevels(arguments.logLevel)
        levels.install()
        var files = MeshFileOptions()
        files.allowEmpty = arguments.allowEmpty
        let source = MeshFileConfiguration(options.source, options: files)
        Task.detached {
            do throws(WaypointError) {
                try await WaypointProcess(options, source: source, levels: levels).run()
                exit(EXIT_SUCCESS)
            } catch {
                StandardError.write("kmesh-waypoint: \(error)")
                exit(EXIT_FAILURE)
            }
        }
        while true { pause(milliseconds: 3_600_000) }
    }
}
