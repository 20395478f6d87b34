//! Tables with Helm's padding: columns as wide as their widest cell, a tab between them, blanks behind the last one too.
//!
//! Source: `github.com/gosuri/uitable` 0.0.4 and `mattn/go-runewidth`.

use std::io::Write;

/// Rows of cells.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// How wide a column may be; 0 is as wide as it likes.
    most: usize,
}

impl Table {
    /// A table whose longer cells are cut.
    pub const fn within(most: usize) -> Self {
        Self { rows: Vec::new(), most }
    }

    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// # Errors
    /// What cannot be written.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "{}", self.text())
    }

    /// The table without its last line break.
    pub fn text(&self) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (cell, slot) in row.iter().zip(&mut widths) {
                let wide = cell.split('\n').map(width).max().unwrap_or(0);
                *slot = (*slot).max(if self.most == 0 { wide } else { wide.min(self.most) });
            }
        }
        let mut lines = Vec::new();
        for row in &self.rows {
            // A cell of many lines makes its row so high.
            let cells: Vec<Vec<String>> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| resize(cell, *width).split('\n').map(Into::into).collect())
                .collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            for y in 0..height {
                let line: Vec<String> = cells
                    .iter()
                    .zip(&widths)
                    .map(|(lines, width)| match lines.get(y) {
                        Some(line) => resize(line, *width),
                        // An empty cell is one blank at least.
                        None => " ".repeat((*width).max(1)),
                    })
                    .collect();
                lines.push(line.join("\t"));
            }
        }
        lines.join("\n")
    }
}

/// Pads to a width, or cuts with `...` behind it.
fn resize(text: &str, to: usize) -> String {
    let w = width(text);
    if to == 0 || w == to {
        return text.into();
    }
    if w < to {
        return format!("{text}{}", " ".repeat(to - w));
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        out.push(c);
        let n = rune_width(c);
        // Go's sum may go below zero here, ours not.
        if used + n + 3 >= to {
            break;
        }
        used += n;
    }
    out.push_str("...");
    out
}

fn width(text: &str) -> usize {
    text.chars().map(rune_width).sum()
}

/// How many columns a character takes on a terminal: none for controls and marks, two for wide ones.
fn rune_width(c: char) -> usize {
    match c as u32 {
        0..0x20 | 0x7f..0xa0 | 0xad => 0,
        0x20..0x300 => 1,
        0x300..=0x36f
        | 0x200b..=0x200f
        | 0x2028..=0x202e
        | 0x2060..=0x206f
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f
        | 0xfeff => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_padded_as_helms() {
        let mut table = Table::default();
        table.row(["NAME", "STATUS", "CHART"]);
        table.row(["a", "deployed", "x-1"]);
        table.row(["日本", "", "a\nbc"]);
        assert_eq!(
            table.text(),
            "NAME\tSTATUS  \tCHART\na   \tdeployed\tx-1  \n日本\t        \ta    \n    \t        \tbc   "
        );
    }
}
