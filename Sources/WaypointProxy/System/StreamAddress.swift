/// An address and port as a record of plain bytes; IPv4 is v4-mapped.
internal import CLinux
internal import KmeshKit

struct StreamAddress: BitwiseCopyable, Hashable {
    var high: UInt64 = 0
    var low: UInt64 = 0
    var port: UInt16 = 0

    init() {}

    init(_ address: SocketAddress) {
        (high, low, port) = (address.address.high, address.address.low, address.port)
    }

    init(_ raw: kmesh_socket_address) {
        var raw = raw
        unsafe withUnsafeBytes(of: &raw.address) { bytes in
            high = unsafe UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
            low = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        port = raw.port
    }

    var raw: kmesh_socket_address {
        var raw = kmesh_socket_address()
        unsafe withUnsafeMutableBytes(of: &raw.address) { bytes in
            unsafe bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
            unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        raw.port = port
        return raw
    }

    var address: IPAddress { IPAddress(high: high, low: low) }
    var socketAddress: SocketAddress { SocketAddress(address, port) }
}
