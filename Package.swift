// swift-tools-version: 6.3;(experimentalCGen)
import PackageDescription

/// Every Swift target compiles with these: data races, warnings and unmarked unsafe code do not compile.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "kmesh",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        // C: what Swift cannot import by itself.
        .systemLibrary(name: "CKmeshABI", path: "bpf/include/kmesh/abi"),
        .systemLibrary(name: "CLibBPF", providers: [.apt(["libbpf-dev", "libelf-dev"])]),
        .systemLibrary(name: "CLibYAML", providers: [.apt(["libyaml-dev"])]),
        .target(name: "CLinux"),
        .plugin(name: "CompileBPF", capability: .buildTool()),
        .target(name: "CBPFObjects", plugins: ["CompileBPF"]),
        .target(name: "CBPFTestObjects", plugins: ["CompileBPF"]),

        library("KmeshKit", ["CKmeshABI", "CLinux", logging]),
        library("KmeshYAML", ["CLibYAML"]),
        library("EnvoyConfiguration", ["KmeshKit"]),
        library("MeshFile", ["KmeshKit", "KmeshYAML"]),
        library("BPFLoader", ["CBPFObjects", "CLibBPF", "KmeshKit"]),
        library("AuthzXDP", ["BPFLoader", "CKmeshABI", "KmeshKit", logging]),
        library("DualEngine", ["BPFLoader", "CKmeshABI", "KmeshKit", "Steering"]),
        library("Steering", ["BPFLoader", "CKmeshABI", "KmeshKit", logging]),
        library(
            "KernelNativeEngine", ["BPFLoader", "CKmeshABI", "KmeshKit", "Steering", logging]),
        library("Telemetry", ["BPFLoader", "CKmeshABI", "KmeshKit", logging]),
        library("WaypointProxy", ["CKmeshABI", "CLinux", "KmeshKit", logging]),
        library(
            "KmeshDaemon",
            [
                "AuthzXDP", "DualEngine", "EnvoyConfiguration", "KernelNativeEngine", "KmeshKit", "MeshFile",
                "Telemetry",
                "WaypointProxy", logging,
            ]),

        program("kmesh-daemon", ["KmeshDaemon", "KmeshKit", "Telemetry", arguments, logging]),
        program("kmesh-waypoint", ["KmeshKit", "MeshFile", "WaypointProxy", logging]),
        program("kmeshctl", ["KmeshKit", arguments]),

        library("KmeshSandbox", ["KmeshKit", "KmeshYAML"]),
        program("kmesh-sandbox", ["KmeshSandbox", "KmeshKit", arguments]),

        .target(
            name: "KmeshTestSupport", dependencies: ["CKmeshABI", "CLinux", "KmeshKit"],
            path: "Tests/KmeshTestSupport", swiftSettings: strict),

        tests("ABITests", ["CKmeshABI", "KernelNativeEngine", "KmeshKit", "KmeshTestSupport"]),
        tests("AdminTests", ["KmeshKit", logging]),
        tests("AuthorizationTests", ["KmeshKit", "KmeshYAML", "MeshFile"]),
        tests("AuthzXDPTests", ["AuthzXDP", "CKmeshABI", "KmeshKit", "KmeshTestSupport"]),
        tests(
            "BPFTests",
            [
                "AuthzXDP", "BPFLoader", "CBPFTestObjects", "CKmeshABI", "CLinux", "KmeshKit",
                "KmeshTestSupport",
            ]),
        tests(
            "DaemonTests",
            ["KmeshDaemon", "KmeshKit", "KmeshTestSupport", "kmesh-daemon", "kmeshctl", logging]),
        tests("DataplaneTests", ["CKmeshABI", "KmeshKit"]),
        tests(
            "EndToEndTests",
            [
                "AuthzXDP", "BPFLoader", "CBPFTestObjects", "CKmeshABI", "KmeshTestSupport", "KmeshKit",
                "kmesh-daemon", "kmesh-sandbox", "kmesh-waypoint", "kmeshctl",
            ]),
        tests("EnvoyConfigurationTests", ["EnvoyConfiguration", "KmeshKit", "KmeshTestSupport"]),
        tests(
            "KernelNativeEngineTests", ["CKmeshABI", "KernelNativeEngine", "KmeshKit", "WaypointProxy"]),
        tests("KmeshYAMLTests", ["KmeshYAML"]),
        tests("MeshFileTests", ["KmeshKit", "KmeshTestSupport", "KmeshYAML", "MeshFile"]),
        tests("SandboxTests", ["KmeshSandbox", "KmeshKit", "KmeshYAML", "kmesh-sandbox"]),
        tests("SimulationTests", ["CKmeshABI", "KmeshKit"]),
        tests("SteeringTests", ["BPFLoader", "CKmeshABI", "KmeshKit", "KmeshTestSupport", "Steering"]),
        tests("SystemTests", ["KmeshKit", "KmeshTestSupport"]),
        tests("TelemetryTests", ["CKmeshABI", "KmeshKit", "KmeshTestSupport", "Telemetry"]),
        tests("TidyTests", []),
        tests("TranslationTests", ["KmeshKit"]),
        tests(
            "WaypointProxyTests",
            ["KmeshKit", "KmeshTestSupport", "WaypointProxy", "kmesh-waypoint"]),
    ],
    cLanguageStandard: .gnu2x
)
