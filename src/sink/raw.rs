//! Raw octets: `client.bin` and `server.bin` hold exactly what each side sent, as recorded.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{Sink, new_file};
use crate::recording::Entry;
use crate::wire::Side;

/// See the [module](self).
#[derive(Debug)]
pub struct Raw {
    client: BufWriter<File>,
    server: BufWriter<File>,
}

impl Raw {
    /// What it writes into its folder.
    pub const FILES: [&str; 2] = ["client.bin", "server.bin"];

    /// Into a folder, which is made where it is missing.
    pub fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = |name| new_file(&folder.join(name)).map(BufWriter::new);
        let [client, server] = Self::FILES;
        Ok(Self { client: file(client)?, server: file(server)? })
    }
}

impl Sink for Raw {
    fn name(&self) -> &'static str {
        "the raw octets"
    }

    fn take(&mut self, _: u32, entry: &Entry) -> io::Result<()> {
        let Entry::Event(event) = entry else { return Ok(()) };
        match event.octets() {
            Some((Side::Client, run)) => self.client.write_all(&run.bytes),
            Some((Side::Server, run)) => self.server.write_all(&run.bytes),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.client.flush()?;
        self.server.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pop3::Event;
    use crate::wire::Run;

    #[test]
    fn each_side_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut raw = Raw::new(&folder.path().join("out.raw")).unwrap();
        let run = |octets: &'static [u8]| Run { bytes: octets.into(), arrivals: smallvec::smallvec![] };
        raw.take(1, &Entry::Event(Event::Opaque { side: Side::Client, run: run(b"\x16\x03") })).unwrap();
        raw.take(1, &Entry::Event(Event::Body { n: 1, run: run(b"..stuffed\r\n") })).unwrap();
        raw.flush().unwrap();
        assert_eq!(fs::read(folder.path().join("out.raw/client.bin")).unwrap(), b"\x16\x03");
        assert_eq!(fs::read(folder.path().join("out.raw/server.bin")).unwrap(), b"..stuffed\r\n");
    }
}
