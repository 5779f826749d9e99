/// Numbers for things that maps know by number. They rise, so that one that was released is not given out
/// again before all others have been; 0 is never given out.
public struct NumericIDs: Sendable {
    private var used: Set<UInt32> = []
    private var last: UInt32
    private let limit: UInt32

    /// `last` is the number before the first that is given out, `limit` the greatest that is.
    public init(last: UInt32 = 0, limit: UInt32 = .max) { (self.last, self.limit) = (last, limit) }

    public var count: Int { used.count }

    public mutating func allocate() -> UInt32 {
        precondition(used.count < Int(limit), "all numbers are in use")
        repeat { last = last >= limit ? 1 : last + 1 } while used.contains(last)
        used.insert(last)
        return last
    }

    /// Keeps a number that was found in a map after a restart; those that follow are above the highest.
    public mutating func reserve(_ id: UInt32) {
        precondition(id != 0, "0 is no id")
        used.insert(id)
        last = max(last, id)
    }

    public mutating func release(_ id: UInt32) { used.remove(id) }
}
