//! The program as a user meets it: its processes, its sockets, its files.

mod bad_input;
mod crash;
mod large;
mod record;
mod relay;
mod run;
mod screen;
