//! Repeatable randomness: every random choice of a test comes from one seed, which a failure
//! prints.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use support::{Context, Result};

/// Runs `life` for the first `count` seeds, or for those in the environment. `test` is the name for
/// cargo.
pub(crate) async fn for_each_seed(
    test: &str,
    count: u64,
    mut life: impl AsyncFnMut(StdRng) -> Result<()>,
) -> Result<()> {
    let chosen = number("SEED");
    let count = number("SEEDS").unwrap_or(count);
    for seed in chosen.map_or(1..=count, |seed| seed..=seed) {
        println!("--- {test}: seed {seed}");
        life(StdRng::seed_from_u64(seed))
            .await
            .with_context(|| format!("seed {seed}; repeat it with: SEED={seed} cargo test --test faults {test}"))?;
    }
    Ok(())
}

/// Whether everything is to be tried, not a sample.
pub(crate) fn all() -> bool {
    number("ALL").is_some_and(|all| all > 0)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
