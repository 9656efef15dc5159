//! Fuzz target: `roomful_fuzz::beacon`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| roomful_fuzz::beacon(bytes));
