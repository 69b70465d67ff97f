//! Bodies that are lists (LIST, UIDL, CAPA and the like) in a compact form.

use unicode_width::UnicodeWidthStr as _;

use super::escape::safe_beginning;
use super::units::grouped;
use crate::pop3::lines;

/// Columns for the entries.
const WIDTH: usize = 96;

/// Rows that are shown.
const ROWS: usize = 6;

/// Octets of one entry that are shown.
const ENTRY: usize = 80;

/// The entries of a list side by side, `total` of them in the whole body.
pub fn rows(body: &[u8], total: u64) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut shown = 0;
    for line in lines::split(body) {
        let entry = safe_beginning(lines::split_ending(line).0.trim_ascii(), ENTRY);
        let full = rows.len() == ROWS;
        match rows.last_mut() {
            Some(row) if row.width() + entry.width() + 3 <= WIDTH => {
                row.push_str(" · ");
                row.push_str(&entry);
            }
            _ if full => break,
            _ => rows.push(entry),
        }
        shown += 1;
    }
    if shown < total {
        rows.push(format!("… and {} more", grouped(total - shown)));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_ends_with_a_count() {
        assert_eq!(rows(b"1 120\r\n2 200\r\n", 2), ["1 120 · 2 200"]);
        let body: Vec<u8> = (1..=1000).flat_map(|n| format!("{n} {}\r\n", n * 7).into_bytes()).collect();
        let rows = rows(&body, 1000);
        assert_eq!(rows.len(), ROWS + 1);
        assert!(rows.iter().all(|row| row.chars().count() <= WIDTH));
        assert!(rows[ROWS].starts_with("… and 9"), "{}", rows[ROWS]);
    }
}
