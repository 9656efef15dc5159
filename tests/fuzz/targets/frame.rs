//! Fuzz target: `roomful_fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| roomful_fuzz::frame(bytes));
