/// Rows of text under headings, each column as wide as its widest cell.
public struct TextTable: Sendable {
    private var rows: [[String]]

    public init(_ headings: [String]) {
        rows = [headings]
    }

    /// A row with a cell for each heading.
    public mutating func add(_ row: [String]) {
        precondition(row.count == rows[0].count, "a row needs a cell for each heading")
        rows.append(row)
    }

    public var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for row in rows {
            for (column, cell) in row.enumerated() {
                text += cell
                // Nothing after the last cell, so that no line ends in spaces.
                guard column < row.count - 1 else { continue }
                text += String(repeating: " ", count: widths[column] - cell.count + 2)
            }
            text += "\n"
        }
        return text
    }
}
