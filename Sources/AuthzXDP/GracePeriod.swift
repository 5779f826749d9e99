/// Waits until no program reads any more what nothing leads to.
public protocol GracePeriod: Sendable {
    /// Returns when every program that ran at the time of the call has ended; false if that cannot be known,
    /// and then nothing may be removed.
    func elapse() -> Bool
}
