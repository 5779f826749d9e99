import Testing

@testable import KmeshKit
