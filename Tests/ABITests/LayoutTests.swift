import CKmeshABI
import Testing

@Suite struct LayoutTests {
    @Test func addressesAreSixteenBytes() {
        #expect(MemoryLayout<kmesh_address>.size == 16)
    }
}
