//! Fuzz target: `roomful_fuzz::frontier`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| roomful_fuzz::frontier(bytes));
