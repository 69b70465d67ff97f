//! Any octets as a file.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| poptape_fuzz::capture(octets));
