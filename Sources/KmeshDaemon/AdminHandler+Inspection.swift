internal import KmeshKit
internal import Logging

/// Answers about maps and loggers.
extension AdminHandler {
    func maps(_ query: MapQuery) async -> AdminResponse {
        do throws(MapDumpError) {
            return .maps(try await engine.dumpableMaps().readAside(query))
        } catch {
            return .error(.failed, "\(error)")
        }
    }

    func setLevel(_ logger: String, _ level: String) async -> AdminResponse {
        do throws(LoggerError) {
            let levels = try await loggers.set(logger, to: level)
            log.notice("log level set", metadata: ["logger": "\(logger)", "level": "\(level)"])
            return .loggers(levels)
        } catch {
            return .error(.failed, "\(error)")
        }
    }
}
