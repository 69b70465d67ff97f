//! Captures: a session as packets, and packets as a session.

use criterion::Throughput;
use pcap_file::pcapng::PcapNgReader;

use super::json::{read, write};
use super::part::{Part, Target};
use super::{bounds, material};

const OCTETS: usize = 4 * 1024 * 1024;

pub fn writing(name: &'static str) -> Part {
    let entries = material::entries(OCTETS);
    let (mut out, mut other) = (Vec::new(), Vec::new());
    write("pcapng", &entries, &mut out);
    let file = out.clone();
    Part::new(name, Throughput::Bytes(OCTETS as u64))
        .work("write", move || write("pcapng", &entries, &mut out))
        .work("copy", move || bounds::copy(&file, &mut other))
        .compare("write", "copy", Target::Open)
}

pub fn importing(name: &'static str) -> Part {
    let mut file = Vec::new();
    write("pcapng", &material::entries(OCTETS), &mut file);
    let same = file.clone();
    Part::new(name, Throughput::Bytes(OCTETS as u64))
        .work("import", move || read("pcapng", &file))
        .work("pcap-file", move || {
            let (mut reader, mut blocks) = (PcapNgReader::new(&same[..]).unwrap(), 0);
            while let Some(block) = reader.next_block() {
                block.unwrap();
                blocks += 1;
            }
            blocks
        })
        .compare("import", "pcap-file", Target::Open)
}
