/// Makes the source of the configuration that the options name.
public import KmeshKit

public enum SourceFactory {
    public static func make(_ options: DaemonOptions) throws(ConfigurationError) -> any ConfigurationSource {
        throw ConfigurationError(["\(options.meshFile): this build reads no mesh files yet"])
    }
}
