//! Which conversations are sessions.

use super::wire::{Flags, Wire, lines, seen};
use crate::capture::Options;
use crate::wire::Side::{Client, Server};

#[test]
fn on_any_port_by_greeting_and_command_and_nothing_of_others() {
    let mut all = Vec::new();
    let mut redis = Wire::open(50001, 6379);
    redis.lines(&["C: *1", "C: $4", "C: PING", "S: +OK", "C: QUIT", "S: +OK"]).close();
    let mut middle = Wire::middle(50002, 6379);
    middle.lines(&["S: +OK", "C: *1", "S: +OK", "C: AUTH x", "S: +OK", "C: QUIT", "S: +OK"]);
    let mut ftp = Wire::open(50003, 21);
    ftp.lines(&["S: 220 ready", "C: USER a", "S: 331 password", "C: QUIT", "S: 221 bye"]).close();
    let mut stray = Wire::middle(50004, 110);
    stray.send(Client, Flags::default(), b"\x01\x02\x03");
    let mut pop3 = Wire::open(50005, 2110);
    pop3.lines(&["S: +OK ready", "C: capa", "S: +OK", "S: ."]).close();
    let longest = [&redis, &middle, &ftp, &stray, &pop3].map(|wire| wire.shots.len());
    for at in 0..longest.into_iter().max().unwrap() {
        for wire in [&redis, &middle, &ftp, &stray, &pop3] {
            all.extend(wire.shots.get(at).cloned());
        }
    }
    let (seen, tally) = seen(&all, Options::default());
    let told = lines(&seen);
    assert_eq!(
        told[..4],
        ["1 10.0.0.1:50005 > 10.0.0.2:2110", "1 S: +OK ready|", "1 C: capa|", "1 S: +OK|.|"]
    );
    assert_eq!((tally.sessions, tally.others), (1, 4));
    assert_eq!(tally.other_frames as usize, all.len() - pop3.shots.len());
}

#[test]
fn from_the_middle_the_octets_show_who_is_the_server() {
    // The server has the higher port.
    let mut wire = Wire::middle(3000, 40000);
    wire.lines(&["S: +OK ready", "C: STAT", "S: +OK 0 0"]);
    let told = wire.told();
    assert_eq!(told[0], "1 10.0.0.1:3000 > 10.0.0.2:40000");
    assert_eq!(told[2..5], ["1 S: +OK ready|", "1 C: STAT|", "1 S: +OK 0 0|"]);
}

#[test]
fn from_the_middle_of_a_message() {
    let mut wire = Wire::middle(50000, 110);
    for _ in 0..1000 {
        wire.say(Server, &"x".repeat(1000));
    }
    wire.lines(&["S: .", "C: DELE 1", "S: +OK", "C: QUIT"]);
    let told = wire.told();
    // How much came before is not known.
    assert_eq!(told[1..5], ["1 C misses 0", "1 S misses 0", "1 note passed-over", "1 note from-the-middle"]);
    let missing: usize = told[5].strip_prefix("1 S misses ").unwrap().parse().unwrap();
    let held = told[6].matches('x').count();
    assert_eq!(missing + held, 1_000_000, "what is not held is missing, to the octet");
    assert_eq!(told[7..], ["1 C: DELE 1|", "1 S: +OK|", "1 C: QUIT|", "1 cut"]);
}

#[test]
fn a_server_on_a_port_that_the_user_names() {
    let mut wire = Wire::open(50000, 2110);
    wire.lines(&["S: +OK ready"]).close();
    assert_eq!(wire.told(), [""; 0]);
    let (seen, _) = seen(&wire.shots, Options { ports: vec![2110], ..Options::default() });
    assert_eq!(lines(&seen).len(), 5);
}

#[test]
fn tls_on_its_port_and_after_stls() {
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    let mut wire = Wire::open(50000, 995);
    wire.send(Client, Flags::default(), &hello).send(Server, Flags::default(), &[22, 3, 3, 0, 1, 2]).close();
    assert_eq!(wire.told()[1], "1 TLS readable false");
    wire = Wire::open(50000, 443);
    wire.send(Client, Flags::default(), &hello).close();
    assert_eq!(wire.told(), [""; 0]);
    wire = Wire::open(50000, 110);
    wire.lines(&["S: +OK ready"]).say(Client, "ST").lines(&["C: ls", "S: +OK go on"]);
    wire.send(Client, Flags::default(), &hello);
    // The hello is no whole one, and that is noted.
    let mut told = wire.told();
    told.retain(|line| !line.contains("note tls-"));
    assert_eq!(told[2..5], ["1 C: STls|", "1 S: +OK go on|", "1 TLS readable false"]);
}
