//! Any octets as a transcript.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| poptape_fuzz::transcript(octets));
