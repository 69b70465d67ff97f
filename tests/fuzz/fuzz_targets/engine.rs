//! Any octets of a client to the built-in server.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| poptape_fuzz::engine(octets));
