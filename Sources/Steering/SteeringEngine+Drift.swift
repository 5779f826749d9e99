internal import CKmeshABI
internal import KmeshKit
internal import Logging

/// Finds and repairs what somebody else has changed in the kernel.
extension SteeringEngine {
    /// Looks at a part of the maps, and at all hooks and enrolled pods. What runs in pods is authorization's.
    func repairDrift() {
        guard let kernel = running?.kernel, let enrolled = running?.enrolled.values else { return }
        var report = running?.dataplane.repairDrift() ?? DriftReport()
        if let dataplane = running?.dataplane, let found = layer?.repairDrift(dataplane) { report.add(found) }
        var fault = report.fault.map { "\($0)" }
        var repaired: [Difference] = []
        do throws(MapError) {
            try kernel.repairEnrolled(enrolled, &repaired)
        } catch {
            fault = fault ?? "\(error)"
        }
        do throws(BPFError) {
            let attachments = CgroupAttachments(pins: kernel.state.pins, cgroupPath: options.cgroupPath)
            try attachments.repair(kernel.wanted, &repaired)
        } catch {
            fault = fault ?? "\(error)"
        }
        report.add(repaired: repaired)
        running?.activity.add(report)
        let log = Logger(label: "engine")
        for text in report.texts { log.warning("\(text)") }
        if let fault, fault != running?.driftFault { log.error("drift cannot be looked for: \(fault)") }
        running?.driftFault = fault
    }
}

extension KernelState {
    /// Writes what is missing or different, and removes what is not wanted.
    /// - Parameter repaired: grows by what was found, also when an error ends it.
    fileprivate func repairEnrolled(
        _ workloads: some Collection<LocalWorkload>, _ repaired: inout [Difference]
    ) throws(MapError) {
        let found = try differences(from: workloads)
        guard !found.isEmpty else { return }
        for (difference, repair) in found {
            switch repair {
            case .write(let entry): try enrolled.upsert([entry])
            case .remove(let key): try enrolled.remove([key])
            }
            repaired.append(difference)
        }
    }
}
