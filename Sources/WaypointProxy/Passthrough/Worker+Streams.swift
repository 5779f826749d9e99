// Bytes that are passed through as they are.

extension Worker {
    mutating func beginStream(_ slot: Int32) { closeDownstream(slot) }

    mutating func beginUpgraded(_ exchange: Int32, _ upstream: Int32) { abandon(exchange, .internalFault) }

    mutating func handleStream(_ slot: Int32, _ events: StreamEvents) {}

    mutating func streamExpired(_ slot: Int32) {}
}
