/// Placeholder until the codec lands.
struct ChunkedDecoder: BitwiseCopyable {
    private var state: UInt8 = 0
    private var left: Int64 = 0

    mutating func advance(_ bytes: Span<UInt8>) -> (Int, ParseVerdict) {
        var at = 0
        while at < bytes.count {
            if state == 4 {
                let taken = min(Int64(bytes.count - at), left)
                at += Int(taken)
                left -= taken
                if left == 0 { state = 5 }
                continue
            }
            let byte = bytes[at]
            at += 1
            switch state {
            case 0, 1:
                if let digit = hexadecimal(byte) {
                    guard left < 1 << 48 else { return (at, .refused(.badChunk)) }
                    left = left << 4 | digit
                    state = 1
                } else if state == 0 {
                    return (at, .refused(.badChunk))
                } else if byte == 13 {
                    state = 3
                } else if byte == 59 {
                    state = 2
                } else {
                    return (at, .refused(.badChunk))
                }
            case 2: if byte == 13 { state = 3 }
            case 3:
                guard byte == 10 else { return (at, .refused(.badChunk)) }
                state = left == 0 ? 7 : 4
            case 5: state = 6
            case 6: state = 0
            case 7: state = byte == 13 ? 9 : 8
            case 8: if byte == 10 { state = 7 }
            default: return (at, .complete)
            }
        }
        return (at, .incomplete)
    }

    private func hexadecimal(_ byte: UInt8) -> Int64? {
        switch byte {
        case 48...57: Int64(byte) - 48
        case 65...70: Int64(byte) - 55
        case 97...102: Int64(byte) - 87
        default: nil
        }
    }
}
