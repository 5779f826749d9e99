internal import KmeshKit

/// Numbers and addresses as text, without a string in between: lines of the access log are many.
extension [UInt8] {
    mutating func append(decimal number: UInt64) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var (rest, first) = (number, 20)
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        for index in first..<20 { append(digits[index]) }
    }

    /// With zeros in front.
    mutating func append(decimal number: UInt64, width: Int) {
        var limit: UInt64 = 10
        var missing = width - 1
        while missing > 0, number >= limit {
            limit *= 10
            missing -= 1
        }
        for _ in 0..<missing { append(UInt8(ascii: "0")) }
        append(decimal: number)
    }

    mutating func append(_ address: SocketAddress) {
        guard address.address.isV4 else {
            self += "\(address)".utf8
            return
        }
        let bits = UInt32(truncatingIfNeeded: address.address.low)
        append(decimal: UInt64(bits >> 24))
        for shift in [UInt32(16), 8, 0] {
            append(UInt8(ascii: "."))
            append(decimal: UInt64(bits >> shift & 0xff))
        }
        append(UInt8(ascii: ":"))
        append(decimal: UInt64(address.port))
    }
}
