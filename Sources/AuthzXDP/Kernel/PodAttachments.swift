internal import KmeshKit

/// The program in each protected workload's network namespace, kept by pinned links that are named after how
/// they are attached and after the namespace's cookie.
struct PodAttachments: Sendable {
    private let pins: PinDirectory
    private let options: AuthorizationOptions
    private let program: SharedDescriptor

    enum Form: String, CaseIterable {
        case generic, native
        case socketLookup = "lookup"

        /// As people read it.
        var name: String {
            switch self {
            case .generic: "xdp generic"
            case .native: "xdp native"
            case .socketLookup: "sk_lookup"
            }
        }

        func pinName(_ workload: LocalWorkload) -> String {
            "\(rawValue)-\(workload.networkNamespace.cookie)"
        }

        var hook: AuthorizationHook { self == .socketLookup ? .socketLookup : .xdp }
    }

    init(pins: PinDirectory, options: AuthorizationOptions, program: SharedDescriptor) {
        self.pins = pins
        self.options = options
        self.program = program
    }

    /// Puts the program in force where an earlier run had attached one by the same hook; `nil` where it had
    /// not, or where the interface has been replaced meanwhile.
    func adopt(_ workload: LocalWorkload) throws(BPFError) -> Form? {
        for form in Form.allCases where form.hook == options.hook {
            guard let pinned = try pins.open(form.pinName(workload)) else { continue }
            let link = BPFLink(pinned)
            if try link.facts().isGone {
                try pins.unpin(form.pinName(workload))
                continue
            }
            try link.update(to: program.file, at: "\(form.name) of pod \(workload.pod)")
            return form
        }
        return nil
    }

    /// Attaches the program: from here on the workload's new connections are decided on.
    func attach(_ workload: LocalWorkload) throws(BPFError) -> Form {
        if let form = try adopt(workload) { return form }
        let namespace: NetworkNamespace
        do throws(Errno) {
            namespace = try NetworkNamespace(path: workload.networkNamespacePath)
        } catch {
            throw .failed("open network namespace \(workload.networkNamespacePath)", error)
        }
        switch options.hook {
        case .socketLookup:
            let link = try BPFLink.attach(socketLookup: program.file, to: namespace)
            try pins.pin(link.descriptor, as: Form.socketLookup.pinName(workload))
            try removeOthers(workload, keeping: .socketLookup)
            return .socketLookup
        case .xdp:
            let interface = try interface(of: workload, in: namespace)
            let attachment = try BPFLink.attach(
                xdp: program.file, to: interface, in: namespace, mode: options.xdpMode)
            let form: Form = attachment.mode == .native ? .native : .generic
            try pins.pin(attachment.link.descriptor, as: form.pinName(workload))
            try removeOthers(workload, keeping: form)
            return form
        }
    }

    /// Ends every attachment of the workload. One that has none is fine.
    func detach(_ workload: LocalWorkload) throws(BPFError) {
        try removeOthers(workload, keeping: nil)
    }

    /// Ends attachments of workloads that are not among `workloads`.
    func detachAll(but workloads: some Collection<LocalWorkload>) throws(BPFError) {
        let kept = Set(workloads.map { String($0.networkNamespace.cookie) })
        let forms = Set(Form.allCases.map(\.rawValue))
        for name in try pins.pinnedNames() {
            let parts = name.split(separator: "-")
            guard parts.count == 2, forms.contains(String(parts[0])), !kept.contains(String(parts[1])) else {
                continue
            }
            try remove(name)
        }
    }

    /// After another one is in force, so that there is no moment without any.
    private func removeOthers(_ workload: LocalWorkload, keeping kept: Form?) throws(BPFError) {
        for form in Form.allCases where form != kept { try remove(form.pinName(workload)) }
    }

    private func remove(_ name: String) throws(BPFError) {
        guard let pinned = try pins.open(name) else { return }
        try BPFLink(pinned).detach()
        try pins.unpin(name)
    }

    private func interface(
        of workload: LocalWorkload, in namespace: borrowing NetworkNamespace
    ) throws(BPFError) -> NetworkLink {
        do throws(NetlinkError) {
            var netlink = try Netlink(in: namespace)
            if let link = try netlink.link(workload.interface) { return link }
        } catch {
            throw .failed("look for \(workload.interface) in \(workload.networkNamespacePath)", error.errno)
        }
        throw .failed(
            "attach to pod \(workload.pod): \(workload.networkNamespacePath) has no interface "
                + "\(workload.interface); give another --interface", .noDevice)
    }
}
