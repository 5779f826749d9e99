/// What went wrong, in words for the person at the terminal.
public struct SandboxError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }

    /// Runs a step; what it throws is told together with what the step was for.
    static func during<Value: ~Copyable>(
        _ what: @autoclosure () -> String, _ step: () throws -> Value
    ) throws(SandboxError) -> Value {
        do {
            return try step()
        } catch {
            throw SandboxError("cannot \(what()): \(error)")
        }
    }
}
