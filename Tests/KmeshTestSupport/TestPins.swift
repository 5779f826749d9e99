/// A bpf file system of a test's own, which goes away with its pins.
public import KmeshKit

public final class TestPins: Sendable {
    public let path: String

    public init() throws {
        path = "/run/kmesh-test-\(UInt64.random(in: 0...UInt64.max))"
        try Files.makeDirectories(path)
        try Mounts.mount("bpf", at: path, options: "mode=0700")
    }

    /// A pin directory that is there, and empty.
    public func directory(_ name: String = "test") throws -> PinDirectory {
        let pins = try PinDirectory(root: path, name: name)
        try pins.stage()
        try pins.commit()
        return pins
    }

    deinit {
        try? Mounts.detach(path)
        try? Files.removeDirectory(path)
    }
}
