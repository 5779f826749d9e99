/// The memory of C structs, for tests that compare it with the words that Swift writes.
public import CKmeshABI
public import KmeshKit

public enum CLayout {
    /// Sixteen different bytes, and the same in C.
    public static let address = IPAddress(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)
    public static var cAddress: kmesh_address {
        kmesh_address(
            words: (
                UInt32(bigEndian: 0x0102_0304), UInt32(bigEndian: 0x0506_0708),
                UInt32(bigEndian: 0x090a_0b0c), UInt32(bigEndian: 0x0d0e_0f10)
            ))
    }

    /// The words that a C value lies in.
    public static func words<Value>(of value: Value) -> [UInt32] {
        unsafe withUnsafeBytes(of: value) { bytes in
            stride(from: 0, to: bytes.count, by: 4).map {
                unsafe bytes.load(fromByteOffset: $0, as: UInt32.self)
            }
        }
    }
}
