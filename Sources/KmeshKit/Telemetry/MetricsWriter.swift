/// The text format of Prometheus.
package struct MetricsWriter {
    package init() {}

    package enum Kind: String { case counter, gauge, histogram }

    package private(set) var bytes: [UInt8] = []

    /// Families come whole: their samples follow at once.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        bytes += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n".utf8
    }

    package mutating func sample(_ name: String, _ labels: [(String, String)], _ value: some BinaryInteger) {
        write(name, labels, String(value))
    }

    package mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        write(name, labels, String(value))
    }

    /// - Parameters:
    ///   - bounds: what the buckets but the last one hold at most, ascending, as text.
    ///   - counts: of each bucket alone.
    package mutating func histogram(
        _ name: String, _ labels: [(String, String)], bounds: [String], counts: [UInt64], sum: Double
    ) {
        var total: UInt64 = 0
        for (bucket, count) in counts.enumerated() {
            total += count
            sample(
                "\(name)_bucket", labels + [("le", bucket < bounds.count ? bounds[bucket] : "+Inf")], total)
        }
        sample("\(name)_sum", labels, sum)
        sample("\(name)_count", labels, total)
    }

    private mutating func write(_ name: String, _ labels: [(String, String)], _ value: String) {
        bytes += name.utf8
        if !labels.isEmpty {
            bytes.append(UInt8(ascii: "{"))
            for (index, label) in labels.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += "\(label.0)=\"".utf8
                escape(label.1)
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes += " \(value)\n".utf8
    }

    private mutating func escape(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            default: bytes.append(byte)
            }
        }
    }
}

/// `badChunk` as `bad_chunk`.
package func snakeCase(_ name: String) -> String {
    var result = ""
    for character in name {
        if character.isUppercase, !(result.last?.isUppercase ?? true) { result += "_" }
        result.append(character)
    }
    return result.lowercased()
}
