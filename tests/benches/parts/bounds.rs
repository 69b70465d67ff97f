//! Bounds: what any way of doing the work costs at least, and what a plain one costs.

use memchr::{memchr, memmem};

/// Finds the terminator, and nothing else.
pub fn terminator(octets: &[u8]) -> u64 {
    memmem::find(octets, b"\r\n.\r\n").unwrap_or_default() as u64
}

/// Visits every line.
pub fn every_line(octets: &[u8]) -> u64 {
    let (mut rest, mut lines) = (octets, 0);
    while let Some(end) = memchr(b'\n', rest) {
        lines += 1;
        rest = &rest[end + 1..];
    }
    lines
}

/// Looks at each octet.
pub fn every_octet(octets: &[u8]) -> u64 {
    let (mut lines, mut dots, mut before) = (0u64, 0u64, b'\n');
    for &octet in octets {
        match octet {
            b'\n' => lines += 1,
            b'.' if before == b'\n' => dots += 1,
            _ => {}
        }
        before = octet;
    }
    lines + dots
}

/// Undoes byte-stuffing line by line into `out`.
pub fn unstuff(octets: &[u8], out: &mut Vec<u8>) -> u64 {
    out.clear();
    let mut rest = octets;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |end| end + 1));
        out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = after;
    }
    out.len() as u64
}

/// Does it line by line.
pub fn stuff(octets: &[u8], out: &mut Vec<u8>) -> u64 {
    out.clear();
    let mut rest = octets;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |end| end + 1));
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        rest = after;
    }
    out.len() as u64
}

/// Copies.
pub fn copy(octets: &[u8], out: &mut Vec<u8>) -> u64 {
    out.clear();
    out.extend_from_slice(octets);
    out.len() as u64
}

/// Tells commands apart: each line's keyword in any case, and where its arguments are.
pub fn commands(octets: &[u8]) -> u64 {
    let (mut rest, mut sum) = (octets, 0);
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        rest = &rest[end + 1..];
        let (word, arguments) = line.split_at(memchr(b' ', line).unwrap_or(line.len()));
        let mut upper = [0; 4];
        if let Some(upper) = upper.get_mut(..word.len()) {
            upper.copy_from_slice(word);
            upper.make_ascii_uppercase();
        }
        let keyword = match &upper {
            b"USER" => 1,
            b"PASS" => 2,
            b"QUIT" => 3,
            b"STAT" => 4,
            b"LIST" => 5,
            b"RETR" => 6,
            b"DELE" => 7,
            b"NOOP" => 8,
            b"RSET" => 9,
            b"TOP\0" => 10,
            b"UIDL" => 11,
            b"APOP" => 12,
            b"CAPA" => 13,
            b"STLS" => 14,
            b"AUTH" => 15,
            _ => 0,
        };
        sum += keyword + arguments.len() as u64;
    }
    sum
}
