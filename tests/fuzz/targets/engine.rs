//! Fuzz target: `roomful_fuzz::engine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| roomful_fuzz::engine(bytes));
