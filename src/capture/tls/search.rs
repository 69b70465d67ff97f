//! Looks for a record that opens, once it is not known where one begins and which number it has.

use super::opener::{Opened, Opener};
use super::record::{self, Cut, HEADER};

/// The most octets that are looked through: in each record's length of them one begins, the first of them perhaps
/// one that is cut off, so that what is not found here is none of the numbers that were tried.
const FAR: usize = 3 * record::LONGEST;

/// The most numbers that are tried for a record.
const MOST: u64 = 256;

/// The most octets that are tried to be opened at once, since octets can be made to look like many records.
pub(super) const WORK: usize = 16 << 20;

/// How many more may be tried for each octet that comes.
pub(super) const WORK_AN_OCTET: usize = 4;

/// Octets of the shortest record: a header and a tag.
const SHORTEST: u64 = HEADER as u64 + 16;

/// What came of looking.
pub(super) enum Found {
    /// A record, after so many octets, this long.
    Record { after: usize, length: usize, opened: Opened },
    /// Nothing yet.
    More,
    /// Nothing, and no hope.
    Nothing,
}

/// A search.
#[derive(Debug)]
pub(super) struct Search {
    from: usize,
    numbers: u64,
}

impl Search {
    /// From an offset on, where so many octets may have been records that nobody counted.
    pub(super) fn new(from: usize, lost: u64) -> Self {
        Self { from, numbers: numbers(lost) }
    }

    /// More is missing, before this offset.
    pub(super) fn widen(&mut self, from: usize, lost: u64) {
        self.from = from;
        self.numbers = MOST.min(self.numbers.saturating_add(numbers(lost)));
    }

    /// Looks on, through all that is there; `work` is how many octets may be tried yet.
    pub(super) fn look(&mut self, octets: &[u8], opener: &mut Opener, work: &mut usize) -> Found {
        while let Some(rest) = octets.get(self.from..).filter(|rest| !rest.is_empty()) {
            match record::first(rest) {
                Cut::Whole(record) => {
                    let first = opener.number();
                    for number in first..first.saturating_add(self.numbers) {
                        let Some(left) = work.checked_sub(record.octets.len()) else {
                            return Found::Nothing;
                        };
                        *work = left;
                        if let Some(opened) = opener.open_at(number, &record) {
                            return Found::Record { after: self.from, length: record.octets.len(), opened };
                        }
                    }
                    self.from += 1;
                }
                Cut::More => break,
                Cut::Malformed => self.from += 1,
            }
        }
        if octets.len() > FAR { Found::Nothing } else { Found::More }
    }
}

fn numbers(lost: u64) -> u64 {
    MOST.min(lost / SHORTEST + 2)
}
