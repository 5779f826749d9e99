/// Addresses as the keys, values and records of programs have them.
package import CKmeshABI

extension IPAddress {
    package init(_ address: kmesh_address) {
        let words = address.words
        let part = { (high: UInt32, low: UInt32) in
            UInt64(UInt32(bigEndian: high)) << 32 | UInt64(UInt32(bigEndian: low))
        }
        self.init(high: part(words.0, words.1), low: part(words.2, words.3))
    }
}
