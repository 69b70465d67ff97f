//! Anything that can happen to a relayed session.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| poptape_fuzz::relay(octets));
