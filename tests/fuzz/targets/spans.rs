//! Fuzz target: `roomful_fuzz::spans`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| roomful_fuzz::spans(bytes));
