//! A table of connections by who speaks with whom, which knows in each of its two classes the one idle longest.

use std::collections::HashMap;
use std::net::SocketAddr;

/// The two ends of a connection, whoever sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) low: SocketAddr,
    high: SocketAddr,
}

impl Ends {
    pub(super) fn of(one: SocketAddr, other: SocketAddr) -> Self {
        Self { low: one.min(other), high: one.max(other) }
    }
}

/// Where something stands in the table until it is removed.
pub(super) type Place = usize;

/// What ends a chain.
const NONE: Place = Place::MAX;

#[derive(Debug)]
struct Row<T> {
    ends: Ends,
    class: usize,
    before: Place,
    after: Place,
    value: T,
}

/// A chain from the longest idle to the latest used.
#[derive(Debug, Clone, Copy)]
struct Chain {
    first: Place,
    last: Place,
    length: usize,
}

/// The table.
#[derive(Debug)]
pub(super) struct Table<T> {
    places: HashMap<Ends, Place>,
    rows: Vec<Option<Row<T>>>,
    free: Vec<Place>,
    chains: [Chain; 2],
}

impl<T> Table<T> {
    pub(super) fn new() -> Self {
        let empty = Chain { first: NONE, last: NONE, length: 0 };
        Self { places: HashMap::new(), rows: Vec::new(), free: Vec::new(), chains: [empty; 2] }
    }

    pub(super) fn find(&self, ends: &Ends) -> Option<Place> {
        self.places.get(ends).copied()
    }

    pub(super) fn get(&mut self, place: Place) -> Option<&mut T> {
        self.rows.get_mut(place)?.as_mut().map(|row| &mut row.value)
    }

    /// Adds what is not in it yet, as used last.
    pub(super) fn insert(&mut self, ends: Ends, class: usize, value: T) -> Place {
        let row = Some(Row { ends, class, before: NONE, after: NONE, value });
        let place = if let Some(place) = self.free.pop() {
            self.rows[place] = row;
            place
        } else {
            self.rows.push(row);
            self.rows.len() - 1
        };
        self.places.insert(ends, place);
        self.link(place);
        place
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        self.unlink(place);
        let row = self.rows.get_mut(place)?.take()?;
        self.places.remove(&row.ends);
        self.free.push(place);
        Some(row.value)
    }

    /// It was used, and is of this class from now on.
    pub(super) fn touch(&mut self, place: Place, class: usize) {
        if self.chains[class].last == place {
            return;
        }
        self.unlink(place);
        if let Some(Some(row)) = self.rows.get_mut(place) {
            row.class = class;
        }
        self.link(place);
    }

    /// The longest idle of a class.
    pub(super) fn idle(&self, class: usize) -> Option<Place> {
        let first = self.chains[class].first;
        (first != NONE).then_some(first)
    }

    pub(super) const fn len(&self, class: usize) -> usize {
        self.chains[class].length
    }

    fn link(&mut self, place: Place) {
        let Some(Some(row)) = self.rows.get_mut(place) else { return };
        let chain = &mut self.chains[row.class];
        (row.before, row.after) = (chain.last, NONE);
        let last = std::mem::replace(&mut chain.last, place);
        chain.length += 1;
        if last == NONE {
            chain.first = place;
        } else if let Some(Some(before)) = self.rows.get_mut(last) {
            before.after = place;
        }
    }

    fn unlink(&mut self, place: Place) {
        let Some(Some(row)) = self.rows.get(place) else { return };
        let (class, before, after) = (row.class, row.before, row.after);
        let chain = &mut self.chains[class];
        chain.length -= 1;
        if before == NONE {
            chain.first = after;
        }
        if after == NONE {
            chain.last = before;
        }
        if let Some(Some(row)) = self.rows.get_mut(before) {
            row.after = after;
        }
        if let Some(Some(row)) = self.rows.get_mut(after) {
            row.before = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(port: u16) -> Ends {
        Ends::of(([127, 0, 0, 1], port).into(), ([127, 0, 0, 1], 1).into())
    }

    #[test]
    fn the_longest_idle_goes_first() {
        let mut table = Table::new();
        let places = [2, 3, 4, 5].map(|port| table.insert(ends(port), 0, port));
        table.touch(places[0], 0);
        table.touch(places[2], 1);
        let mut order = Vec::new();
        for class in [0, 1] {
            while let Some(place) = table.idle(class) {
                order.extend(table.remove(place));
            }
            assert_eq!(table.len(class), 0);
        }
        assert_eq!(order, [3, 5, 2, 4]);
        assert_eq!(table.find(&ends(3)), None);
        table.insert(ends(9), 0, 9);
        assert_eq!(table.rows.len(), 4, "rows are used again");
    }
}
