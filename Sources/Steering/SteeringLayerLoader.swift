public import BPFLoader
public import KmeshKit

/// Brings a layer's part of an engine's BPF object into the kernel.
public protocol SteeringLayerLoader: Sendable {
    /// Of the object's maps those whose sizes the options say.
    var capacityByMap: [(map: String, capacity: UInt32)] { get }

    /// Before the object is loaded: sets constants in sections of the layer's own, and leaves out programs.
    /// - Parameter programs: what goes to each hook, by name. Others may be put there; a hook without one
    ///   stays empty.
    mutating func prepare(
        _ object: borrowing BPFObject, _ programs: inout [CgroupHook: String]
    ) throws(BPFError)

    /// The object is loaded, with the maps of an earlier run where there was one. These must not change yet:
    /// the start may still fail, and then the earlier run's programs go on.
    func makeLayer(_ object: borrowing BPFObject) throws(EngineError) -> any SteeringLayer
}

extension SteeringLayerLoader {
    public var capacityByMap: [(map: String, capacity: UInt32)] { [] }
    public mutating func prepare(
        _ object: borrowing BPFObject, _ programs: inout [CgroupHook: String]
    ) throws(BPFError) {}
}
