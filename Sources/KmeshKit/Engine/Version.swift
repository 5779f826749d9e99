/// The project's version, the same for all its programs.
public enum KmeshVersion {
    public static let current = "0.1.0"
}
