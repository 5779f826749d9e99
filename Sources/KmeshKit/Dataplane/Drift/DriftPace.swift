/// How much of the maps one look for drift compares. It is called about once a second.

public struct DriftPace: Sendable {
    /// Service ports that are compared with the maps: small ones, of which more cost little.
    public var ports = 256
    /// Entries that are read one by one, at about 1 µs each. 10,000 services of 10 endpoints have 230,000
    /// entries: a round over them takes four minutes.
    public var readings = 1024
    /// Entries that are read from a map in one go to find foreign ones: another four minutes.
    public var entries = 1024
    /// Tables are large: 16 are 1 MiB.
    public var tables = 16
    /// A round of a small mesh waits until so many looks after the last one began. An empty map of a million
    /// entries takes 1 ms to walk over, so foreign entries are looked for more seldom.
    public var wantedRound = 10
    public var mapRound = 30

    public init() {}

    /// A table counts as so many entries: it takes 0.1 ms to read and compare.
    static var tableReadings: Int { 128 }
}
