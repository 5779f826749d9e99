/// An empty directory that is removed with its content.
internal import Foundation
internal import KmeshKit

public final class TemporaryDirectory: Sendable {
    public let path: String

    public init() throws {
        path = "/tmp/kmesh-test-\(UUID().uuidString.prefix(8))"
        try Files.makeDirectories(path)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}
