//! poptape: a recording POP3 debugging proxy.
//!
//! It stands between a client and a server, shows every command with its whole response, and writes the session
//! to a file that a person can read and a program can load. This page is the map; each room's own page has its
//! charter.
//!
//! # Rooms
//!
//! ```text
//! 5 cli       testing                 a file a verb; a server in a test
//! 4 net                               sockets, clock, the writer's thread
//! 3 relay     replay    sink          a whole session
//! 2 engine    render                  one decision each
//! 1 recording maildrop  capture       data and its file formats
//! 0 wire      pop3                    vocabulary
//! ```
//!
//! A room uses only what lies below it (`tests/tidy.rs` holds the table). Read them upwards:
//!
//! | room | charter |
//! | --- | --- |
//! | [`wire`] | what can happen on a connection, what can be done to it: `Input`, `Action`, `Machine` |
//! | [`pop3`] | the protocol: commands, responses, framing, and the `Dissector` that turns octets into events |
//! | [`capture`] | what somebody else saw of a network to the sessions in it |
//! | [`recording`] | a session as a sequence of entries, and the file formats that hold one |
//! | [`maildrop`] | messages, and where they come from |
//! | [`engine`] | the built-in server's session |
//! | [`render`] | entries to lines for people, programs and bug reports; the filter language |
//! | [`relay`] | the man in the middle, and the observer of a served session |
//! | [`replay`] | a recording as a server |
//! | [`sink`] | where entries go: console, recorder, tally, raw octets, messages |
//! | [`net`] | listens, pumps, tells the time; runs the sinks on their thread; keeps the certificate authority |
//! | [`testing`] | a mock server in the test's own process |
//! | `cli` | the program; feature `cli`, on by default |
//!
//! # The way of the data
//!
//! ```text
//! client socket -> net::pump -> relay -> Action -> upstream socket, and back
//!                                 |
//!                            Dissector -> Event -> Entry -> sinks: console, recorder, tally
//!                                                             |
//!              packets -> capture -> Saw -.                    |
//!                                         v                   |
//!                              file -> Record -> the same Dissector -> Entry -> show, convert
//!                                                             |
//!                                                        replay::Tape
//!                                                             |
//! client socket -> net::pump -> engine::Engine <- Responder: replay::Script, where it has an answer
//!                      |             |
//!                      |          Ask, Told
//!                      '-> maildrop::Attendant -> Maildrops -> Store: Maildir, mbox, .eml, memory, recording
//! ```
//!
//! # What stays true
//!
//! 1. Octets are the ground: a recording gives back every octet and every arrival, and all else is derived from
//!    them by one dissector, live and offline.
//! 2. Only an `Action` reaches the world. Relay and engine are state machines without I/O, clock or dice.
//! 3. Nothing a peer does is an error of ours, and recording changes no octet of what the peers see.
//! 4. Secrets are masked in the dissector, before any event holds them.
//! 5. Memory is bounded whatever a peer sends: long lines pass in pieces, bodies stream, queues have limits.
//!
//! # In a program of your own
//!
//! Without the feature `cli` there is no argument parsing, colour or progress bar among the dependencies. Here,
//! which commands of a recording failed:
//!
//! ```
//! use poptape::pop3::Status;
//! use poptape::recording::format::{self, Reading};
//! use poptape::recording::{Assembler, Entry, playback};
//!
//! let json = format::named("json").expect("the format has a row");
//! let mut file = std::io::BufReader::new(std::fs::File::open("recordings/seed.json")?);
//! let mut assembler = Assembler::new(0);
//! let mut failed = Vec::new();
//! playback::play(json, &mut file, &Reading::default(), &mut |_, entry| {
//!     if let Entry::Event(event) = entry
//!         && let Some(exchange) = assembler.take(event)
//!         && exchange.status == Some(Status::Err)
//!     {
//!         failed.extend(exchange.command);
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(failed, ["LIST 3", "TOP 100 3", "DELE 2"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where the next thing goes
//!
//! A kind of maildrop is a file and a row in `maildrop::sources::SOURCES`; a SASL mechanism in `engine::sasl`; a
//! personality in `engine::PERSONALITIES`; a text of the server a row in `engine::WORDING`, a departure from the RFCs
//! a member of `engine::Quirks`.
//!
//! A command is a row in `pop3::command::COMMANDS`; a file format a file and a row in `recording::format::FORMATS`; a
//! link type of captures a row in `capture::link`; another way to cut packets a file beside `recording::format::pcap`;
//! an operator of the filter language a row in `render::filter`; a verb a file in `cli`; a way to
//! trust the authority a row in `cli::trust`; another output a `sink::Sink`.

pub mod wire;
pub mod pop3;
pub mod capture;
pub mod recording;
pub mod maildrop;
pub mod engine;
pub mod render;
pub mod relay;
pub mod replay;
pub mod sink;
pub mod net;
pub mod testing;
#[cfg(feature = "cli")]
pub mod cli;
