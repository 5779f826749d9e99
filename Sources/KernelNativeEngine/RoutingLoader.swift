internal import BPFLoader
internal import CKmeshABI
internal import KmeshKit
internal import Steering

/// Brings into the kernel what routes there.
struct RoutingLoader: SteeringLayerLoader {
    private let options: EngineOptions
    /// Why requests cannot be read; `nil`: they can.
    private var fault: String?

    init(_ options: EngineOptions) { self.options = options }

    var capacityByMap: [(map: String, capacity: UInt32)] {
        let (listeners, routes) = (options.capacities.listeners, options.capacities.routes)
        let byListener = [
            KMESH_MAP_LISTENER, KMESH_MAP_CHAIN, KMESH_MAP_ROUTE_TABLE, KMESH_MAP_HOST, KMESH_MAP_SPLIT,
        ]
        let byRoute = [KMESH_MAP_ROUTE, KMESH_MAP_TEXT_64, KMESH_MAP_TEXT_256, KMESH_MAP_SHARE]
        // Few routes have many conditions or long texts; hosts are found by entries of their own.
        let few = max(1024, routes / 4)
        return byListener.map { ($0, listeners) } + byRoute.map { ($0, routes) } + [
            (KMESH_MAP_FOUND, routes * 2), (KMESH_MAP_CONDITION, few), (KMESH_MAP_TEXT_4096, few),
            (KMESH_MAP_LIMIT, options.capacities.services),
            (KMESH_MAP_CLUSTER, options.capacities.services),
        ]
    }

    mutating func prepare(
        _ object: borrowing BPFObject, _ programs: inout [CgroupHook: String]
    ) throws(BPFError) {
        do throws(KernelModuleError) {
            try KernelModule.load(from: options.module)
            fault = KernelModule.fault
        } catch {
            fault = error.description
        }
        let settings = kmesh_native_settings(
            has_module: fault == nil ? 1 : 0, l7_fallback: options.l7Fallback.number)
        try object.set(constants: settings, in: ".rodata.native")
        if fault == nil { for step in Step.all { try object.include(program: step.program) } }
    }

    func makeLayer(_ object: borrowing BPFObject) throws(EngineError) -> any SteeringLayer {
        do throws(BPFError) {
            if fault == nil {
                // What runs already goes on: the programs before them did the same over the same maps.
                for step in Step.all {
                    try object.map(step.map).setProgram(
                        try object.program(step.program), at: KMESH_STEP_ROUTE.rawValue, of: step.map)
                }
            }
            return try RoutingLayer(object, options, fault: fault)
        } catch {
            throw EngineError(error)
        }
    }

    /// A program that tail calls lead to, and the array that they find it in.
    private struct Step {
        let map: String
        let program: String

        static let all = [
            Step(map: KMESH_MAP_STEP4, program: "kmesh_route4"),
            Step(map: KMESH_MAP_STEP6, program: "kmesh_route6"),
        ]
    }
}

extension L7Fallback {
    fileprivate var number: UInt32 {
        switch self {
        case .refuse: KMESH_FALLBACK_REFUSE.rawValue
        case .default: KMESH_FALLBACK_DEFAULT.rawValue
        case .waypoint: KMESH_FALLBACK_WAYPOINT.rawValue
        }
    }
}
