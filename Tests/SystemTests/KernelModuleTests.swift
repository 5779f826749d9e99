import Testing

@testable import KmeshKit

@Suite struct KernelModuleTests {
    @Test(arguments: [
        ("6.12.95+deb12-cloud-amd64", true), ("6.8.0", true), ("6.7.12", false), ("6.1.0-50-amd64", false),
        ("7.3.4", true), ("5.15", false), ("10.0-rc1", true), ("odd", true), ("", true),
    ])
    func releasesFrom68OnAreRecent(release: String, isRecent: Bool) {
        #expect(KernelModule.isRecent(release) == isRecent)
    }

    @Test func aFileThatIsNoModuleIsRefusedWithItsName() {
        guard KernelModule.fault != nil else { return }
        #expect(throws: KernelModuleError.self) { try KernelModule.load(from: .file("/nowhere/kmesh.ko")) }
    }
}
