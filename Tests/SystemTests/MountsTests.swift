import Testing

@testable import KmeshKit

@Suite struct MountsTests {
    @Test func linesOfMountinfo() {
        let text = """
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
            42 31 0:39 / /mnt/a\\040b\\134 rw shared:7 master:1 - tmpfs none rw
            43 31 0:39 / /cut rw -
            nonsense

            """
        #expect(
            Mounts.parse(text) == [
                Mount(path: "/sys/fs/cgroup/unified", kind: "cgroup2"),
                Mount(path: "/mnt/a b\\", kind: "tmpfs"),
            ])
    }

    @Test func hostileLines() {
        var generator = SplitMix64(seed: 11)
        let letters = Array("41 - /\\0479\n:".utf8)
        for _ in 0..<2000 {
            let bytes = (0..<40).map { _ in letters.randomElement(using: &generator) ?? 0 }
            for mount in Mounts.parse(String(decoding: bytes, as: UTF8.self)) {
                #expect(mount.path.utf8.count <= 40)
            }
        }
    }

    @Test func thisMachineHasARoot() throws {
        #expect(try Mounts.all().contains { $0.path == "/" })
    }
}
