/// Makes the source of the configuration that the options name.
internal import EnvoyConfiguration
public import KmeshKit
internal import MeshFile

public enum SourceFactory {
    public static func make(_ options: DaemonOptions) -> any ConfigurationSource {
        switch options.source {
        case .meshFile(let path):
            var fileOptions = MeshFileOptions()
            fileOptions.allowEmpty = options.allowsEmptyMesh
            return MeshFileConfiguration(path, options: fileOptions)
        case .staticXDS(let path):
            return EnvoyFileConfiguration(path, allowsEmpty: options.allowsEmptyMesh)
        }
    }
}
