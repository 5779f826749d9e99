/// The sandbox's address ranges. They lead nowhere outside of it, so that every sandbox may use the same.
internal import KmeshKit

enum AddressPlan {
    /// Nodes and pods: 10.244.0.0/16 and fd00:10:244::/64.
    static let pods = AddressRange(v4: 0x0af4_0000, v4Bits: 16, v6High: 0xfd00_0010_0244_0000, v6Bits: 64)
    /// Services: 10.96.0.0/16 and fd00:10:96::/64. No route leads there.
    static let services = AddressRange(v4: 0x0a60_0000, v4Bits: 16, v6High: 0xfd00_0010_0096_0000, v6Bits: 64)

    /// The first node's number is 1, which is also the pods' gateway.
    static let nodeLimit = 255
    /// Numbers of pods, after those of nodes.
    static let podNumbers = 257...65_534
    static let serviceNumbers = 1...65_534
    /// A Linux bridge has 1023 ports at most.
    static let podLimit = 1000

    /// The first free number from `next` on, and from the start of the range when it is used up. A number
    /// that has just become free is thus not given out at once: somebody may still talk to its old owner.
    static func free(from next: Int, in numbers: ClosedRange<Int>, taken: Set<Int>) -> Int? {
        let start = numbers.contains(next) ? next : numbers.lowerBound
        return (start...numbers.upperBound).first { !taken.contains($0) }
            ?? (numbers.lowerBound..<start).first { !taken.contains($0) }
    }
}

struct AddressRange: Hashable, Sendable {
    let v4: UInt32
    let v4Bits: UInt8
    let v6High: UInt64
    let v6Bits: UInt8

    func address(_ number: Int, _ family: AddressFamily) -> IPAddress {
        switch family {
        case .v4: IPAddress(v4: v4 + UInt32(number))
        case .v6: IPAddress(high: v6High, low: UInt64(number))
        }
    }

    func prefixLength(_ family: AddressFamily) -> UInt8 {
        switch family {
        case .v4: v4Bits
        case .v6: v6Bits
        }
    }

    /// `nil` when the sandbox gives out no such address.
    func number(of address: IPAddress) -> Int? {
        switch address.family {
        case .v4: address.v4Bits >> 16 == v4 >> 16 ? Int(address.v4Bits & 0xffff) : nil
        case .v6: address.high == v6High && address.low <= 0xffff ? Int(address.low) : nil
        }
    }
}
