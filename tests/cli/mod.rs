//! The program as a user meets it: its processes, its sockets, its files.

mod bad_input;
mod ca;
mod captures;
mod crash;
mod episodes;
mod large;
mod record;
mod relay;
mod replay;
mod run;
mod screen;
mod serve;
