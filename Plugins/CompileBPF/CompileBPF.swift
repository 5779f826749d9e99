// Compiles every bpf/**/*.bpf.c with the toolchain's clang and writes the C source that embeds the objects.

import Foundation
import PackagePlugin

@main
struct CompileBPF: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let root = context.package.directoryURL.appending(path: "bpf")
        let files = try bpfFiles(under: root)
        let headers = files.filter { $0.pathExtension == "h" }
        let programs = files.filter { $0.lastPathComponent.hasSuffix(".bpf.c") }
        let output = context.pluginWorkDirectoryURL
        let clang = try context.tool(named: "clang").url

        var commands: [Command] = []
        var objects: [URL] = []
        for program in programs {
            let name = String(program.lastPathComponent.dropLast(".bpf.c".count))
            let object = output.appending(path: "\(name).bpf.o")
            objects.append(object)
            commands.append(
                .buildCommand(
                    displayName: "Compiling BPF \(name)",
                    executable: clang,
                    arguments: compileArguments(root: root, program: program, object: object),
                    inputFiles: [program] + headers,
                    outputFiles: [object]))
        }

        // The generated source names every object as its input: a changed object is always embedded anew.
        let source = output.appending(path: "objects.c")
        commands.append(
            .buildCommand(
                displayName: "Embedding \(objects.count) BPF objects",
                executable: URL(fileURLWithPath: "/bin/sh"),
                arguments: [root.appending(path: "embed.sh").path, source.path] + objects.map(\.path),
                inputFiles: [root.appending(path: "embed.sh")] + objects,
                outputFiles: [source]))
        return commands
    }

    private func compileArguments(root: URL, program: URL, object: URL) -> [String] {
        [
            "-target", "bpf", "-mcpu=v3", "-g", "-O2", "-std=gnu2x", "-Wall", "-Wextra", "-Werror",
            "-Wno-unused-parameter", "-Wno-missing-field-initializers",
            "-I\(root.appending(path: "vmlinux").path)",
            "-I\(root.appending(path: "include").path)",
            "-I\(root.appending(path: "lib").path)",
            "-c", program.path, "-o", object.path,
        ]
    }

    private func bpfFiles(under root: URL) throws -> [URL] {
        guard let walk = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil) else { return [] }
        return walk.compactMap { $0 as? URL }
            .filter { ["h", "c"].contains($0.pathExtension) }
            .sorted { $0.path < $1.path }
    }
}
