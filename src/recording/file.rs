//! Recordings on disk: which files a path stands for, and how one is opened.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::format::{FORMATS, Format, ReadError, Reading, Summary, recognized};
use super::playback::{Take, play};

/// How much of a file is read at once, and looked at to recognize its format.
const BUFFER: usize = 64 * 1024;

/// What a gzip'd file begins with (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What else files are compressed with, and what such a file begins with.
const COMPRESSED: [(&str, &[u8]); 3] = [("xz", b"\xfd7zX"), ("bzip2", b"BZh"), ("zstd", b"\x28\xb5\x2f\xfd")];

/// What stands in the name of a file with all sessions of a run where that of a session has its number.
pub const RUN: &str = "run";

/// The fewest octets by which a format is recognized: a pipe may bring one at a time.
const ENOUGH: usize = 4;

/// The recordings at a path: a folder stands for those in it, in order of their names; a session that was
/// recorded in several formats counts once, and a run of which each session has a file too does not count.
pub fn recordings(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in path.read_dir()? {
        let path = entry?.path();
        let known = |extension| FORMATS.iter().any(|format| extension == format.extension());
        if path.extension().is_some_and(|extension| known(extension.to_string_lossy())) {
            found.push(path);
        }
    }
    found.sort();
    found.dedup_by(|second, first| second.with_extension("") == first.with_extension(""));
    let sessions = found.iter().filter_map(|path| start(path)).filter(|(_, what)| *what != RUN);
    let starts: HashSet<String> = sessions.map(|(start, _)| start.to_owned()).collect();
    found.retain(|path| start(path).is_none_or(|(start, what)| what != RUN || !starts.contains(start)));
    Ok(found)
}

/// When a recording says by its name that it was begun, and what of.
fn start(path: &Path) -> Option<(&str, &str)> {
    path.file_stem()?.to_str()?.rsplit_once('-')
}

/// A recording about to be read.
pub struct Input {
    format: &'static dyn Format,
    input: Box<dyn BufRead>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("format", &self.format.name()).finish_non_exhaustive()
    }
}

impl Input {
    /// Recognizes the format of what a reader gives, gzip'd or not.
    pub fn recognize(source: impl Read + 'static) -> Result<Self, ReadError> {
        let mut input = buffered(source)?;
        if input.fill_buf()?.starts_with(&GZIP) {
            input = buffered(MultiGzDecoder::new(input))?;
        }
        let beginning = input.fill_buf()?;
        let Some(format) = recognized(beginning) else {
            return Err(ReadError::Foreign(foreign(beginning)));
        };
        Ok(Self { format, input })
    }

    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::recognize(File::open(path)?)
    }

    /// Hands its entries on, in order.
    pub fn play(mut self, reading: &Reading, take: &mut Take<'_>) -> Result<Summary, ReadError> {
        play(self.format, &mut self.input, reading, take)
    }
}

/// What a file is that begins like no recording.
fn foreign(beginning: &[u8]) -> String {
    let packed = COMPRESSED.iter().find(|(_, magic)| beginning.starts_with(magic));
    match packed {
        Some((by, _)) => format!("it is compressed by {by}: decompress it first; gzip is read as it is"),
        None if beginning.is_empty() => "it is empty".to_owned(),
        None => {
            let known: Vec<_> = FORMATS.iter().map(|format| format.name()).collect();
            format!("it begins like none of the known formats, which are {}", known.join(", "))
        }
    }
}

/// Gives enough octets at once to recognize a format by, and does not wait for more.
fn buffered(mut source: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    let mut beginning = vec![0; BUFFER];
    let mut len = 0;
    while len < ENOUGH {
        match source.read(&mut beginning[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    beginning.truncate(len);
    Ok(Box::new(Cursor::new(beginning).chain(BufReader::with_capacity(BUFFER, source))))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn each_session_of_a_folder_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = "2026-11-24T06-13-02.123Z";
        for name in [
            &format!("{first}-0001.json"),
            &format!("{first}-0001.pcapng"),
            "2026-11-24T06-13-02.124Z-0002.json",
            &format!("{first}-run.pcapng"),
            "2026-11-25T06-13-02.123Z-run.pcap",
            "mail.pcap",
            "notes.txt",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = recordings(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "2026-11-24T06-13-02.123Z-0001.json",
                "2026-11-24T06-13-02.124Z-0002.json",
                "2026-11-25T06-13-02.123Z-run.pcap",
                "mail.pcap"
            ]
        );
    }

    /// Brings one octet at a time, as a slow pipe does.
    struct Drops(Cursor<Vec<u8>>);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let room = buffer.len().min(1);
            self.0.read(&mut buffer[..room])
        }
    }

    #[test]
    fn a_format_is_recognized_however_the_octets_come() {
        let json = std::fs::read("recordings/seed.json").unwrap();
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zipped.write_all(&json).unwrap();
        for octets in [json, zipped.finish().unwrap()] {
            let mut sessions = 0;
            let input = Input::recognize(Drops(Cursor::new(octets))).unwrap();
            let summary = input.play(&Reading::default(), &mut |_, entry| {
                sessions += u32::from(matches!(entry, super::super::Entry::Opened(_)));
                Ok(())
            });
            assert_eq!(summary.unwrap().integrity, super::super::format::Integrity::Whole);
            assert_eq!(sessions, 1);
        }
    }
}
