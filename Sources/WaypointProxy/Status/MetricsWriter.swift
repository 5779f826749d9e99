/// The text format of Prometheus.

struct MetricsWriter {
    enum Kind: String { case counter, gauge, histogram }

    private(set) var bytes: [UInt8] = []

    /// Families come whole: their samples follow at once.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        bytes += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n".utf8
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: some BinaryInteger) {
        write(name, labels, String(value))
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        write(name, labels, String(value))
    }

    mutating func histogram(_ name: String, _ labels: [(String, String)], _ totals: SeriesTotals) {
        var sum: UInt64 = 0
        for bucket in 0..<DurationBuckets.count {
            sum += totals.buckets.counts[bucket]
            let bound =
                bucket < DurationBuckets.bounds.count
                ? "\(Double(DurationBuckets.bounds[bucket]) / 1_000_000)" : "+Inf"
            sample("\(name)_bucket", labels + [("le", bound)], sum)
        }
        sample("\(name)_sum", labels, Double(totals.duration) / 1_000_000)
        sample("\(name)_count", labels, totals.count)
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
func snakeCase(_ name: String) -> String {
    var result = ""
    for character in name {
        if character.isUppercase, !(result.last?.isUppercase ?? true) { result += "_" }
        result.append(character)
    }
    return result.lowercased()
}
