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

        /// Whether the options ask for it, or could have led to it.
        func suits(_ options: AuthorizationOptions) -> Bool {
            switch self {
            case .generic: options.hook == .xdp && options.xdpMode != .native
            case .native: options.hook == .xdp && options.xdpMode != .generic
            case .socketLookup: options.hook == .socketLookup
            }
        }
    }

    init(pins: PinDirectory, options: AuthorizationOptions, program: SharedDescriptor) {
        self.pins = pins
        self.options = options
        self.program = program
    }

    /// Puts the program in force where an earlier run has attached one; `nil` where it has not.
    func adopt(_ workload: LocalWorkload) throws(BPFError) -> Form? {
        for form in Form.allCases {
            guard let pinned = try pins.open(form.pinName(workload)), try !BPFLink(pinned).facts().isGone
            else {
                continue
            }
            return try attach(workload)
        }
        return nil
    }

    /// Attaches the program, or replaces the one that is there: from here on the workload's new connections
    /// are decided on.
    func attach(_ workload: LocalWorkload) throws(BPFError) -> Form {
        let namespace = try namespace(of: workload)
        switch options.hook {
        case .socketLookup:
            if try !update(.socketLookup, of: workload, target: nil) {
                let link = try BPFLink.attach(socketLookup: program.file, to: namespace)
                try keep(link, .socketLookup, workload)
            }
            try removeOthers(workload, keeping: .socketLookup)
            return .socketLookup
        case .xdp:
            let interface = try interface(of: workload, in: namespace)
            for form in [Form.generic, .native] where form.suits(options) {
                guard try update(form, of: workload, target: UInt64(interface.index)) else {
                    continue
                }
                try removeOthers(workload, keeping: form)
                return form
            }
            // An interface has one mode at a time: a link of the other one would be in the way.
            for form in [Form.generic, .native] where !form.suits(options) {
                try remove(form.pinName(workload))
            }
            let attachment = try BPFLink.attach(
                xdp: program.file, to: interface, in: namespace, mode: options.xdpMode)
            let form: Form = attachment.mode == .native ? .native : .generic
            try keep(attachment.link, form, workload)
            try removeOthers(workload, keeping: form)
            return form
        }
    }

    /// What would keep the program from being attached; `nil`: nothing that can be seen.
    func obstacle(to workload: LocalWorkload) throws(BPFError) -> String? {
        let namespace = try namespace(of: workload)
        guard options.hook == .xdp, try interface(of: workload, in: namespace).attachedXDP != nil else {
            return nil
        }
        return "\(workload.interface) has an XDP program of somebody else's; use --authz-hook=sk-lookup"
    }

    /// Whether the link is there and attached.
    func isInForce(_ form: Form, _ workload: LocalWorkload) throws(BPFError) -> Bool {
        guard let pinned = try pins.open(form.pinName(workload)) else { return false }
        return try !BPFLink(pinned).facts().isGone
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

    /// Gives a link the program. False when there is none, or it is not attached to `target` any more.
    private func update(
        _ form: Form, of workload: LocalWorkload, target: UInt64?
    ) throws(BPFError) -> Bool {
        guard let pinned = try pins.open(form.pinName(workload)) else { return false }
        let link = BPFLink(pinned)
        let facts = try link.facts()
        guard !facts.isGone, target == nil || facts.target == target else { return false }
        try link.update(to: program.file, at: "\(form.name) of pod \(workload.pod)")
        return true
    }

    /// A link of the same form that is elsewhere, or gone, makes place for it in one step.
    private func keep(_ link: borrowing BPFLink, _ form: Form, _ workload: LocalWorkload) throws(BPFError) {
        try pins.replace(link.descriptor, as: form.pinName(workload))
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

    private func namespace(of workload: LocalWorkload) throws(BPFError) -> NetworkNamespace {
        let path = workload.networkNamespacePath
        do throws(Errno) {
            let namespace = try NetworkNamespace(path: path)
            if try namespace.cookie() == workload.networkNamespace.cookie { return namespace }
        } catch {
            throw .failed("open network namespace \(path) of pod \(workload.pod)", error)
        }
        throw .failed(
            "attach to pod \(workload.pod): \(path) is another network namespace by now; enroll it again",
            .invalid)
    }

    private func interface(
        of workload: LocalWorkload, in namespace: borrowing NetworkNamespace
    ) throws(BPFError) -> NetworkLink {
        do throws(NetlinkError) {
            var netlink = try Netlink(in: namespace)
            if let link = try netlink.link(workload.interface) { return link }
        } catch {
            throw .failed(
                "look for \(workload.interface) in \(workload.networkNamespacePath)", error.errno)
        }
        throw .failed(
            "attach to pod \(workload.pod): \(workload.networkNamespacePath) has no interface "
                + "\(workload.interface); give another --interface", .noDevice)
    }
}
