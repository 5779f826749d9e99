/// `127.0.0.1:80` and `[::1]:80`, as descriptions have them.
extension SocketAddress: LosslessStringConvertible {
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        var address = text[..<colon]
        if address.hasPrefix("["), address.hasSuffix("]") {
            address = address.dropFirst().dropLast()
        } else if address.contains(":") {
            return nil
        }
        guard let port = UInt16(digits), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let address = IPAddress(String(address))
        else { return nil }
        self.init(address, port)
    }
}
