/// `kmeshctl waypoint`: the mesh's waypoints and what goes through them.
import ArgumentParser
import KmeshKit

struct WaypointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waypoint", abstract: "Lists the waypoints, and what goes through them.",
        discussion: """
            What goes through a waypoint that is not in force, or has no instance, is refused: nothing goes \
            around one.

            Examples:
              kmeshctl waypoint
              kmeshctl waypoint -o json
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var daemon: ConnectionOptions

    func run() throws {
        let answer = try daemon.ask(.waypoints)
        guard case .waypoints(let reports) = answer.response, let value = answer.json["waypoints"] else {
            try daemon.failUnexpected()
        }
        format.write(value) { WaypointReport.table(reports) }
    }
}
