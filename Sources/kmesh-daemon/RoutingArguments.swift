/// The flags of the kernel-native engine.
public import ArgumentParser
public import KmeshKit

struct RoutingArguments: ParsableArguments {
    @Option(
        help: """
            Where the kernel module comes from: auto (modprobe kmesh, where it is installed), off (it is \
            left to others), or its file.
            """)
    var loadModule = ModuleChoice.auto

    @Option(
        help: """
            What becomes of connections to services with HTTP routes while requests cannot be read: they are \
            refused, or go to the service's own endpoints (default), or through its waypoint.
            """)
    var l7Fallback = L7Fallback.refuse
}

enum ModuleChoice: ExpressibleByArgument {
    case auto, off
    case file(String)

    init?(argument: String) {
        switch argument {
        case "auto": self = .auto
        case "off": self = .off
        default:
            guard argument.contains("/") || argument.hasSuffix(".ko") else { return nil }
            self = .file(argument)
        }
    }

    var defaultValueDescription: String { "auto" }

    var source: KernelModule.Source {
        switch self {
        case .auto: .installed
        case .off: .nowhere
        case .file(let path): .file(path)
        }
    }
}

extension L7Fallback: ExpressibleByArgument {}
