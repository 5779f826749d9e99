/// Where compiled routes come from.
internal import KmeshKit

extension RouteTable {
    static let compile: ConfigurationBuilder.Compile = { source, clusters, statistics in
        RouteTable(compiling: source, clusters: clusters, statistics: statistics)
    }
}
