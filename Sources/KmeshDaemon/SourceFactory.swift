/// Makes the source of the configuration that the options name.
public import KmeshKit
internal import MeshFile

public enum SourceFactory {
    public static func make(_ options: DaemonOptions) -> any ConfigurationSource {
        var fileOptions = MeshFileOptions()
        fileOptions.allowEmpty = options.allowsEmptyMesh
        return MeshFileConfiguration(options.meshFile, options: fileOptions)
    }
}
