//! Fuzz target: `roomful_fuzz::hello`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| roomful_fuzz::hello(bytes));
