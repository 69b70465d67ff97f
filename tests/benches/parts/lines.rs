//! Byte-stuffing, both ways.

use criterion::Throughput;
use poptape::pop3::lines::{Stuffer, Unstuffer};

use super::part::{Part, Target};
use super::{bounds, material};

const OCTETS: usize = 1024 * 1024;

pub fn stuffing(name: &'static str) -> Part {
    let mut text = Vec::new();
    Unstuffer::default().push(&material::body(OCTETS), &mut text);
    let amount = Throughput::Bytes(text.len() as u64);
    let (a, b) = (text.clone(), text);
    let [mut out, mut other] = [(); 2].map(|()| Vec::with_capacity(OCTETS * 2));
    Part::new(name, amount)
        .work("stuff", move || {
            out.clear();
            Stuffer::default().push(&a, &mut out);
            out.len() as u64
        })
        .work("line by line", move || bounds::stuff(&b, &mut other))
        .compare("stuff", "line by line", Target::Open)
}

pub fn unstuffing(name: &'static str) -> Part {
    let wire = material::body(OCTETS);
    let amount = Throughput::Bytes(wire.len() as u64);
    let (a, b) = (wire.clone(), wire);
    let [mut out, mut other] = [(); 2].map(|()| Vec::with_capacity(OCTETS * 2));
    Part::new(name, amount)
        .work("unstuff", move || {
            out.clear();
            Unstuffer::default().push(&a, &mut out);
            out.len() as u64
        })
        .work("unstuff by copy", move || bounds::unstuff(&b, &mut other))
        .compare("unstuff", "unstuff by copy", Target::Open)
}
