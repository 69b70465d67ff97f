//! Any octets as a JSON recording.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| poptape_fuzz::json(octets));
