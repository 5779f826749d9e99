/// What authorization is started with.
public struct AuthorizationOptions: Hashable, Sendable {
    public var hook: AuthorizationHook
    /// `nil`: what the hook does by itself, drop for XDP and reset for sk_lookup.
    public var denial: DenialMethod?
    /// The verdict where something of ours is missing.
    public var defaultVerdict: DefaultVerdict
    /// Whether kubelet's probes pass whatever the policies say.
    public var letsProbesPass: Bool
    public var xdpMode: XDPMode

    public init(
        hook: AuthorizationHook = .xdp, denial: DenialMethod? = nil, defaultVerdict: DefaultVerdict = .deny,
        letsProbesPass: Bool = true, xdpMode: XDPMode = .auto
    ) {
        self.hook = hook
        self.denial = denial
        self.defaultVerdict = defaultVerdict
        self.letsProbesPass = letsProbesPass
        self.xdpMode = xdpMode
    }
}

/// Where connections are decided on.
public enum AuthorizationHook: String, Hashable, Sendable, CaseIterable {
    /// On the workload's interface, before the network stack.
    case xdp
    /// When the network stack looks for the listening socket.
    case socketLookup = "sk-lookup"
}

/// What a denied client sees.
public enum DenialMethod: String, Hashable, Sendable, CaseIterable {
    /// Nothing: it tries until it gives up.
    case drop
    /// A refusal at once.
    case reset
}

public enum DefaultVerdict: String, Hashable, Sendable, CaseIterable {
    case allow, deny
}

/// How the XDP program is attached.
public enum XDPMode: String, Hashable, Sendable, CaseIterable {
    /// Generic on a veth, native where the driver can.
    case auto
    case generic
    case native
}
