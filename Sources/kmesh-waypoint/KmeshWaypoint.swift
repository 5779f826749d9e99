/// `kmesh-waypoint`: the L7 proxy.
@main
struct KmeshWaypoint {
    static func main() {}
}
