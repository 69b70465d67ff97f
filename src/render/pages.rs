//! Pages: the sessions of one file, each on a page of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem::take;

use super::Page;
use super::filter::Filter;
use crate::recording::Entry;

/// See the [module](self).
pub struct Pages<M: Fn() -> Box<dyn Page>> {
    make: M,
    /// Whether sessions are written one behind the other; else those that go on at the same time are interleaved, as
    /// live.
    in_turn: bool,
    open: BTreeMap<u32, Open>,
}

struct Open {
    page: Box<dyn Page>,
    /// What is written once it is its turn.
    held: Vec<u8>,
    over: bool,
}

impl<M: Fn() -> Box<dyn Page>> Pages<M> {
    /// Makes a page a session.
    pub const fn new(in_turn: bool, make: M) -> Self {
        Self { make, in_turn, open: BTreeMap::new() }
    }

    /// Writes what the next entry of a session adds.
    pub fn take(
        &mut self,
        session: u32,
        entry: &Entry,
        filter: Option<&Filter>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let make = &self.make;
        let new = || Open { page: make(), held: Vec::new(), over: false };
        let waits = self.in_turn && self.open.first_key_value().is_some_and(|(&first, _)| first < session);
        let open = self.open.entry(session).or_insert_with(new);
        open.page.take(entry, filter, if waits { &mut open.held } else { out })?;
        if !matches!(entry, Entry::Ended(_)) {
            return Ok(());
        }
        open.over = true;
        if !self.in_turn {
            return self.open.remove(&session).map_or(Ok(()), |open| open.close(filter, out));
        }
        while self.open.first_key_value().is_some_and(|(_, first)| first.over)
            && let Some((_, open)) = self.open.pop_first()
        {
            open.close(filter, out)?;
            if let Some(mut next) = self.open.first_entry() {
                out.write_all(&take(&mut next.get_mut().held))?;
            }
        }
        Ok(())
    }

    /// Writes what was left open.
    pub fn finish(self, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        self.open.into_values().try_for_each(|open| open.close(filter, out))
    }
}

impl Open {
    fn close(mut self, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.held)?;
        self.page.finish(filter, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{By, End, How};

    /// Writes its number for each entry, and a dot when it is finished.
    struct Numbered(u32);

    impl Page for Numbered {
        fn take(&mut self, _: &Entry, _: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
            write!(out, "{}", self.0)
        }

        fn finish(&mut self, _: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
            write!(out, ".")
        }
    }

    #[test]
    fn sessions_come_as_they_go_on_or_one_behind_the_other() {
        let entry = Entry::Unknown { key: String::new(), value: serde_json::Value::Null };
        let (unknown, outer) = Default::default();
        let end = Entry::Ended(Box::new(End { at: 0, by: By::Client, how: How::Finished, unknown, outer }));
        for (in_turn, expected) in [(false, "123321.2.."), (true, "11.222.33.")] {
            let next = std::cell::Cell::new(0);
            let mut pages = Pages::new(in_turn, || {
                next.set(next.get() + 1);
                Box::new(Numbered(next.get())) as Box<dyn Page>
            });
            let mut out = Vec::new();
            for (session, entry) in
                [(1, &entry), (2, &entry), (3, &entry), (3, &entry), (2, &entry), (1, &end)]
            {
                pages.take(session, entry, None, &mut out).unwrap();
            }
            pages.take(2, &end, None, &mut out).unwrap();
            pages.finish(None, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
