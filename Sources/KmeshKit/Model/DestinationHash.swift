/// The four bytes that stand for an IPv6 destination in a SYN, where address and port do not fit. Computed
/// alike by the BPF programs and by the waypoint.
public enum DestinationHash {
    public static func of(_ destination: SocketAddress) -> UInt32 {
        var words: [UInt32] = []
        destination.address.append(to: &words)
        words.append(UInt32(destination.port))
        return seal(words[...])
    }
}
