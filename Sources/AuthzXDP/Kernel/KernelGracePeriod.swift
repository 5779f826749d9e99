internal import KmeshKit

/// Waits for the programs in the kernel.
struct KernelGracePeriod: GracePeriod {
    private let period: ProgramBarrier

    init() throws(BPFError) {
        period = try ProgramBarrier()
    }

    func elapse() -> Bool { (try? period.wait()) != nil }
}
