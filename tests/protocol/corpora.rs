//! Runs the inputs that fuzzing saved (`tests/fuzz/corpus`, one directory per target) through the
//! fuzz targets, so that they are tested without a fuzzer.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

/// Most bytes of all kept inputs together: they are cloned with every copy of the repository.
const BYTES_MAX: u64 = 500_000;

/// Most of them.
const INPUTS_MAX: usize = 1_000;

#[test]
fn corpus_inputs_pass() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let (mut inputs, mut bytes) = (0, 0);
    for (name, target) in fuzz::TARGETS {
        let corpus = fs::read_dir(corpora.join(name)).unwrap_or_else(|error| panic!("no corpus of {name}: {error}"));
        for input in corpus {
            let path = input.expect("a directory that can be read").path();
            let input = fs::read(&path).expect("an input that can be read");
            println!("{}", path.display());
            target(&input);
            inputs += 1;
            bytes += input.len() as u64;
        }
    }
    assert!(inputs > 0 && inputs <= INPUTS_MAX && bytes <= BYTES_MAX, "{inputs} inputs of {bytes} bytes");
}
