//! Any octets of both sides.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| poptape_fuzz::dissect(octets));
