public import KmeshKit

/// The kernel-native maps that user space writes, behind the seam that tests replace.
public struct NativeMaps: Sendable {
    public var listeners: any KeyValueMap<FrontendKey, ListenerValue>
    public var chains: any KeyValueMap<ChainKey, ChainValue>
    public var tables: any KeyValueMap<NativeIDKey, SearchValue>
    public var hosts: any KeyValueMap<NativeIDKey, SearchValue>
    public var found: any KeyValueMap<FoundKey, FoundValue>
    public var routes: any KeyValueMap<RouteMapKey, RouteValue>
    public var conditions: any KeyValueMap<ConditionKey, ConditionsValue>
    public var texts64: any KeyValueMap<NativeIDKey, TextValue<Text64>>
    public var texts256: any KeyValueMap<NativeIDKey, TextValue<Text256>>
    public var texts4096: any KeyValueMap<NativeIDKey, TextValue<Text4096>>
    public var splits: any KeyValueMap<NativeIDKey, SplitValue>
    public var shares: any KeyValueMap<ShareKey, ShareValue>

    public init(
        listeners: any KeyValueMap<FrontendKey, ListenerValue>,
        chains: any KeyValueMap<ChainKey, ChainValue>,
        tables: any KeyValueMap<NativeIDKey, SearchValue>,
        hosts: any KeyValueMap<NativeIDKey, SearchValue>,
        found: any KeyValueMap<FoundKey, FoundValue>,
        routes: any KeyValueMap<RouteMapKey, RouteValue>,
        conditions: any KeyValueMap<ConditionKey, ConditionsValue>,
        texts64: any KeyValueMap<NativeIDKey, TextValue<Text64>>,
        texts256: any KeyValueMap<NativeIDKey, TextValue<Text256>>,
        texts4096: any KeyValueMap<NativeIDKey, TextValue<Text4096>>,
        splits: any KeyValueMap<NativeIDKey, SplitValue>, shares: any KeyValueMap<ShareKey, ShareValue>
    ) {
        (self.listeners, self.chains, self.tables, self.hosts) = (listeners, chains, tables, hosts)
        (self.found, self.routes, self.conditions) = (found, routes, conditions)
        (self.texts64, self.texts256, self.texts4096) = (texts64, texts256, texts4096)
        (self.splits, self.shares) = (splits, shares)
    }
}
