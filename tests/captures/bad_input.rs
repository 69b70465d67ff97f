//! What is no capture, or only a part of one: as much as can be had, a sentence, an exit code.

use std::io::{Cursor, Read, Write as _};
use std::process::{Output, Stdio};

use pcap_file::pcap::PcapTsResolution;
use pcap_file::pcapng::blocks::interface_description::InterfaceTsResolution;
use poptape::recording::Entry;
use poptape::recording::file::Input;
use poptape::recording::format::{Integrity, ReadError, Reading, Summary};

use super::files::{Endianness, Link, Pcapng, SECRETS, every, gzip, pcap, plain, session, word_octets};
use crate::support::{poptape, run, text};

const ORDER: Endianness = Endianness::Little;

/// What the session's exchanges are when nothing is missing.
const SHOWN: [&str; 5] = ["USER kcope", "PASS ********", "RETR 1", "QUIT", "+OK bye"];

fn pcapng() -> Pcapng {
    Pcapng::new(ORDER).interface(Link::Ethernet, InterfaceTsResolution::MICRO)
}

/// A block by its parts, for what no writer would write.
fn raw_block(order: Endianness, kind: u32, body: &[u8]) -> Vec<u8> {
    let length = word_octets(order, body.len() as u32 + 12);
    [&word_octets(order, kind), &length, body, &length].concat()
}

/// Entries of a file, and what is said of it.
fn play(file: impl Read + 'static) -> (Vec<Entry>, Result<Summary, ReadError>) {
    let mut entries = Vec::new();
    let summary = Input::recognize(file).and_then(|input| {
        input.play(&Reading::default(), &mut |_, entry| {
            entries.push(entry.clone());
            Ok(())
        })
    });
    (entries, summary)
}

/// The octets of both sides, in their order.
fn octets(entries: &[Entry]) -> String {
    let runs = entries.iter().filter_map(|entry| match entry {
        Entry::Event(event) => event.octets(),
        _ => None,
    });
    runs.map(|(_, run)| text(&run.bytes)).collect()
}

/// The session is there, and so is a word on what is wrong.
#[track_caller]
fn damaged(file: &[u8], says: &str) {
    let (entries, summary) = play(Cursor::new(file.to_vec()));
    let Summary { integrity, .. } = summary.unwrap();
    assert!(matches!(&integrity, Integrity::Damaged(why) if why.contains(says)), "{says}: {integrity:?}");
    assert_eq!(octets(&entries), whole());
}

/// Nothing is wrong with it.
#[track_caller]
fn good(file: &[u8], what: &str) {
    let (entries, summary) = play(Cursor::new(file.to_vec()));
    assert_eq!(summary.unwrap().integrity, Integrity::Whole, "{what}");
    assert_eq!(octets(&entries), whole(), "{what}");
}

fn whole() -> String {
    let (entries, _) = play(Cursor::new(plain(&session())));
    let whole = octets(&entries);
    assert!(whole.starts_with("+OK ready\r\nUSER kcope\r\n") && whole.ends_with("+OK bye\r\n"), "{whole}");
    whole
}

/// What a user sees of a file with this name.
fn shown(name: &str, file: &[u8]) -> (Output, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, file).unwrap();
    let output = run(&["show", path.to_str().unwrap()]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(!stderr.contains("panicked"), "{stderr}");
    (output, stdout, stderr)
}

#[track_caller]
fn has_the_session(stdout: &str) {
    for part in SHOWN {
        assert!(stdout.contains(part), "{part:?} is not in: {stdout}");
    }
}

#[test]
fn every_kind_of_file_holds_the_session() {
    for (name, file) in every() {
        good(&file, &name);
    }
}

#[test]
fn times_come_out_as_they_went_in() {
    let packets = session();
    let order = Endianness::Big;
    for file in [
        pcap(order, PcapTsResolution::NanoSecond, Link::Raw, &packets),
        Pcapng::new(order).interface(Link::Raw, InterfaceTsResolution::MILLI).enhanced(0, &packets).file(),
        Pcapng::new(order).interface(Link::Raw, InterfaceTsResolution::NANO).old(0, &packets).file(),
    ] {
        let (entries, _) = play(Cursor::new(file));
        let Some(Entry::Opened(header)) = entries.first() else { panic!("{entries:?}") };
        assert_eq!(u128::try_from(header.started.timestamp_micros()).unwrap(), packets[0].at.as_micros());
        let Some(Entry::Ended(end)) = entries.last() else { panic!("{entries:?}") };
        // The last packet acknowledges the last FIN, with which the session ended.
        assert_eq!(u128::from(end.at), packets[packets.len() - 2].at.abs_diff(packets[0].at).as_micros());
    }
}

#[test]
fn a_name_that_is_wrong_does_not_matter() {
    let newer = pcapng().enhanced(0, &session()).file();
    for (name, file) in [("x.pcap", &newer), ("x.pcapng", &plain(&session())), ("x.json", &newer)] {
        let (output, stdout, stderr) = shown(name, file);
        assert_eq!(output.status.code(), Some(0), "{name}: {stderr}");
        has_the_session(&stdout);
    }
}

#[test]
fn a_last_record_that_is_cut_takes_nothing_from_the_others() {
    let mut packets = session();
    packets.push(packets[0].clone());
    for file in [plain(&packets), pcapng().enhanced(0, &packets).file()] {
        let (output, stdout, stderr) = shown("x.pcap", &file[..file.len() - 1]);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("cut off"), "{stderr}");
        has_the_session(&stdout);
    }
}

#[test]
fn cut_anywhere_it_is_a_part_or_nothing() {
    for file in [plain(&session()), pcapng().enhanced(0, &session()).file()] {
        let mut before = 0;
        for end in 0..file.len() {
            let (entries, summary) = play(Cursor::new(file[..end].to_vec()));
            match summary {
                // Between two records nothing shows that there were more.
                Ok(Summary { integrity: Integrity::Whole, .. }) => {}
                Ok(Summary { integrity: Integrity::Damaged(why), .. }) => {
                    assert!(why.contains("cut off"), "{why}");
                }
                Ok(Summary { integrity, .. }) => panic!("{integrity:?}"),
                Err(_) => assert!(entries.is_empty(), "{entries:?}"),
            }
            let now = octets(&entries);
            assert!(whole().starts_with(&now) && now.len() >= before, "{end}: {now}");
            before = now.len();
        }
    }
}

#[test]
fn nothing_of_which_anything_could_be_read() {
    let empty: &[u8] = b"";
    let header = plain(&[]);
    let section = Pcapng::new(ORDER).file();
    let garbage = [&[0x1f, 0x8b][..], &[7; 100]].concat();
    let zipped = gzip(b"just a letter");
    let redis = {
        let talk = super::files::Talk::new("[2001:db8::2]:40000", "[2001:db8::1]:6379").open();
        let talk = talk.says(poptape::wire::Side::Client, b"*1\r\n$4\r\nPING\r\n");
        plain(&talk.says(poptape::wire::Side::Server, b"+OK\r\n").close().packets)
    };
    for (name, file, says) in [
        ("empty.pcap", empty, "it is empty"),
        ("header.pcap", &header, "it holds no frame"),
        ("cut.pcap", &header[..23], "cut off"),
        ("section.pcapng", &section, "it holds no frame"),
        ("cut.pcapng", &section[..11], "cut off"),
        ("notes.pcap", b"Dear diary", "not a recording"),
        ("garbage.pcap.gz", &garbage, "gzip"),
        ("letter.pcap.gz", &zipped, "not a recording"),
        ("redis.pcap", &redis, "--port says where else POP3 is spoken"),
        ("redis.pcap", &redis, "1 other TCP conversation"),
    ] {
        let (output, stdout, stderr) = shown(name, file);
        assert_eq!((output.status.code(), &*stdout), (Some(2), ""), "{name}: {stderr}");
        assert!(stderr.contains(says) && stderr.contains(name), "{says:?} is not in: {stderr}");
    }
}

#[test]
fn lengths_that_make_no_sense() {
    let number = |word: u32| word_octets(ORDER, word);
    let block = |length: u32| [number(0x0bad_cafe), number(length), [0; 4], number(length)].concat();
    let session = session();
    let file = pcapng().enhanced(0, &session).file();
    for (length, says) in [
        (0, "length of 0"),
        (4, "length of 4"),
        (11, "length of 11"),
        (18, "length of 18"),
        (0xffff_fffc, "longer than 16 MiB"),
        (0x00ff_fffc, "cut off"),
    ] {
        damaged(&[&file[..], &block(length)].concat(), says);
    }
    let mut two = raw_block(ORDER, 0x0bad_cafe, b"1234");
    two[12] = 20;
    damaged(&[&file[..], &two].concat(), "two different lengths");
    for (captured, says) in [(u32::MAX, "longer than 16 MiB"), (1 << 20, "cut off")] {
        let record = [number(0), number(0), number(captured), number(captured), *b"1234"].concat();
        damaged(&[&plain(&session)[..], &record].concat(), says);
    }
    let order = [number(0x0a0d_0d0a), number(28), *b"1234"].concat();
    damaged(&[&file[..], &order].concat(), "order of octets");
}

#[test]
fn a_block_that_makes_no_sense_is_skipped() {
    let ends = session().split_off(6);
    let good = &session()[..6];
    let number = |word: u32| word_octets(ORDER, word);
    let huge = vec![0; 17 << 20];
    let nowhere = [number(7), [0; 4], [0; 4], number(0), number(0)].concat();
    let longer = [number(0), [0; 4], [0; 4], number(u32::MAX), number(u32::MAX)].concat();
    let options = [&number(1)[..], &number(0), &[2, 0, 1, 0, 0xff, 0, 0, 0]].concat();
    for (kind, body) in [
        (6, &b""[..]),
        (6, &nowhere),
        (6, &longer),
        (2, &longer),
        (3, b""),
        (3, b"\xff\xff\xff\xff"),
        (1, &options),
    ] {
        let start = pcapng().enhanced(0, good).file();
        let rest = &pcapng().enhanced(0, &ends).file()[pcapng().file().len()..];
        damaged(&[&start[..], &raw_block(ORDER, kind, body), rest].concat(), "a block in it makes no sense");
        damaged(&[&start[..], &raw_block(ORDER, kind, &huge), rest].concat(), "a block in it makes no sense");
    }
}

#[test]
fn what_only_looks_wrong_takes_nothing() {
    let file = |block: &[u8]| {
        let rest = &pcapng().enhanced(0, &session()).file()[pcapng().file().len()..];
        [&pcapng().file()[..], block, rest].concat()
    };
    good(&file(&raw_block(ORDER, 0x0bad_cafe, b"")), "an empty block");
    good(&file(&raw_block(ORDER, SECRETS, b"")), "a block without secrets");
    good(&file(&raw_block(ORDER, SECRETS, &[0xff; 16])), "secrets of another kind");
    good(&file(&raw_block(ORDER, 4, &[0xff; 16])), "names that are none");
    // An interface nobody uses, with as many options as fit.
    let options = [&[1, 0, 0, 0, 0, 0, 0, 0][..], &b"\x01\0\0\0".repeat(1 << 18)].concat();
    good(&file(&raw_block(ORDER, 1, &options)), "endless options");
    good(&file(&raw_block(ORDER, 1, &[1, 0, 0, 0, 0, 0, 0, 0]).repeat(50_000)), "many interfaces");

    let mut shorter = plain(&session());
    let mut at = 24;
    while at < shorter.len() {
        let captured = u32::from_le_bytes(shorter[at + 8..at + 12].try_into().unwrap());
        shorter[at + 12..at + 16].copy_from_slice(&word_octets(ORDER, captured - 1));
        at += 16 + captured as usize;
    }
    good(&shorter, "an original length below what was captured");
}

#[test]
fn interfaces_without_end() {
    let start = pcapng().enhanced(0, &session()).file();
    let more = raw_block(ORDER, 1, &[1, 0, 0, 0, 0, 0, 0, 0]).repeat(100_000);
    damaged(&[start, more].concat(), "one interface more than 65536");
}

#[test]
fn standard_input_one_octet_at_a_time() {
    for file in [plain(&session()), pcapng().enhanced(0, &session()).file(), gzip(&plain(&session()))] {
        let mut child = poptape();
        let child =
            child.args(["show", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for octet in file {
            stdin.write_all(&[octet]).unwrap();
        }
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        has_the_session(&text(&output.stdout));
    }
}

/// Gives one octet a read, which no pipe promises not to do.
struct Dribble(Cursor<Vec<u8>>);

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn a_long_block_in_small_pieces_is_read_once() {
    let long = pcapng().unknown(0x0bad_cafe, &vec![0; 8 << 20]).enhanced(0, &session()).file();
    let (entries, summary) = play(Dribble(Cursor::new(long)));
    assert_eq!(summary.unwrap().integrity, Integrity::Whole);
    assert_eq!(octets(&entries), whole());
}

#[test]
fn gzip_that_is_cut_or_damaged() {
    // What chance makes does not compress, so that the session is in the part that is left.
    let chance: Vec<u8> = (0..1u32 << 14)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).rotate_left(n % 32).to_le_bytes())
        .collect();
    let file = gzip(&pcapng().enhanced(0, &session()).unknown(0x0bad_cafe, &chance).file());
    damaged(&file[..file.len() - 1000], "cut off");
    let mut broken = file.clone();
    let place = file.len() - 4;
    broken[place] ^= 1;
    let (entries, summary) = play(Cursor::new(broken));
    assert!(matches!(summary.unwrap().integrity, Integrity::Damaged(_)));
    assert_eq!(octets(&entries), whole());
    let two = [gzip(&plain(&session()[..5])), gzip(&plain(&session()[5..])[24..])].concat();
    good(&two, "two members");
}

#[test]
fn a_gzip_bomb_takes_time_and_no_memory() {
    // A thousand times 256 KiB of nothing, in a block each.
    let nothing = raw_block(ORDER, 0x0bad_cafe, &vec![0; 1 << 18]).repeat(1000);
    let start = pcapng().enhanced(0, &session()).file();
    let bomb = gzip(&[start, nothing].concat());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.pcapng.gz");
    std::fs::write(&path, bomb).unwrap();
    let limited = "ulimit -v 200000; exec \"$0\" show \"$1\"";
    let output = std::process::Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_poptape")])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    has_the_session(&text(&output.stdout));
}
