import Glibc
import Testing

@testable import KmeshKit

@Suite struct KernelFeaturesTests {
    @Test(.enabled(if: geteuid() == 0, "needs root: loads BPF programs"))
    func thisKernelHasAll() throws {
        try KernelFeatures.requireL4()
        for hook in AuthorizationHook.allCases { try KernelFeatures.requireAuthorization(hook: hook) }
    }

    @Test func everyProbeSaysWhatIsMissing() {
        let probes =
            KernelFeatures.l4Probes + KernelFeatures.authorizationProbes + KernelFeatures.xdpProbes
            + KernelFeatures.socketLookupProbes
        for probe in probes {
            #expect(!probe.feature.isEmpty)
            #expect(probe.since.split(separator: ".").count == 2)
        }
        let error = BPFError.missingFeature("cgroup connect hooks", since: "4.17")
        #expect(error.description == "the kernel lacks cgroup connect hooks (in Linux since 4.17)")
    }

    @Test func anUnknownHelperIsAMissingFeature() {
        // The probe that cannot succeed: shows that a no is seen as a no.
        let probe = KernelProbe("nothing", since: "0.0") { -22 }
        #expect(probe.run() < 0)
    }
}
