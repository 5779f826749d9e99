// Compiles bpf/**/*.bpf.c with the toolchain's clang into one C source that embeds the objects: those of
// bpf/tests for CBPFTestObjects, all others for CBPFObjects.

import Foundation
import PackagePlugin

@main
struct CompileBPF: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let root = context.package.directoryURL.appending(path: "bpf")
        let script = root.appending(path: "embed.sh")
        let files = try sources(under: root)
        let isForTests = target.name == "CBPFTestObjects"
        let programs = files.filter { file in
            file.lastPathComponent.hasSuffix(".bpf.c")
                && (file.deletingLastPathComponent().lastPathComponent == "tests") == isForTests
        }
        let clang = try context.tool(named: "clang").url
        let output = context.pluginWorkDirectoryURL.appending(path: "objects.c")
        // Every header is an input: what is linked is never older than what it was made from.
        return [
            .buildCommand(
                displayName: "Compiling and embedding \(programs.count) BPF objects",
                executable: URL(fileURLWithPath: "/bin/sh"),
                arguments: [script.path, clang.path, root.path, target.name, output.path]
                    + programs.map(\.path),
                inputFiles: [script] + files,
                outputFiles: [output])
        ]
    }

    private func sources(under root: URL) throws -> [URL] {
        guard let walk = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil) else {
            return []
        }
        return walk.compactMap { $0 as? URL }
            .filter { ["h", "c"].contains($0.pathExtension) }
            .sorted { $0.path < $1.path }
    }
}
