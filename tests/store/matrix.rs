//! Damage of every kind at seeded places. The node starts, shows nothing unsigned, reports what
//! happened, and recovers everything that it or a peer holds.
//!
//! `FLIPS=10000 cargo test --test store matrix` tries more bits; `SEED=7` tries others.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::fixtures::{Bed, room};
use crate::past::{Files, Past, database, files, later, paged, path, placed, shown};

/// Bits that are flipped, each in files of its own, unless the environment says otherwise.
const FLIPS: u64 = 300;

/// Starts after which a node has to run: one that meets the damage, one that repairs it.
const STARTS_MAX: usize = 3;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// What a node does with damaged files; complains where it does not do what it should.
async fn check(past: &Past, damaged: &Files, is_seen: bool) -> Result<(), String> {
    let dir = placed(damaged);
    let (mut moment, mut lacked) = (0, false);
    for _ in 0..STARTS_MAX {
        let location = roomful::store::Location::File(path(dir.path()));
        let opened =
            roomful::store::Store::open(location.clone(), room(), crate::fixtures::me().id(), later(&mut moment));
        let (store, opened) = opened.map_err(|error| format!("no start: {error}"))?;
        if moment == 1 {
            kept(damaged, &files(dir.path()))?;
        }
        let mut bed = Bed::of(store, opened);
        match used(past, &mut bed).await {
            Ok(is_whole) => lacked |= !is_whole,
            Err(Stopped::Damaged) => {
                lacked = true;
                bed.store.close().await;
                continue;
            }
            Err(Stopped::Wrong(why)) => return Err(why),
        }
        let left = files(dir.path());
        let is_quarantined = left.keys().any(|name| name.contains(".damaged-"));
        if (is_seen || lacked || is_quarantined) && bed.store.mended().is_none() {
            return Err(format!("nothing is said: lacked {lacked}, quarantined {is_quarantined}"));
        }
        bed.store.close().await;
        return tidy(&files(dir.path()));
    }
    Err("it stops at every start".to_owned())
}

/// Why a run ended.
enum Stopped {
    /// The store met damage, and says so.
    Damaged,
    Wrong(String),
}

/// Uses a store. True if nothing was lacking at first.
async fn used(past: &Past, bed: &mut Bed) -> Result<bool, Stopped> {
    let stopped = |_| Stopped::Damaged;
    let first = shown(&bed.store).await.map_err(stopped)?;
    past.check(&first).map_err(Stopped::Wrong)?;
    past.check(&paged(&bed.store).await.map_err(stopped)?).map_err(Stopped::Wrong)?;
    if !past.brought(bed).await {
        return Err(Stopped::Damaged);
    }
    past.check_complete(&shown(&bed.store).await.map_err(stopped)?).map_err(Stopped::Wrong)?;
    past.check_complete(&paged(&bed.store).await.map_err(stopped)?).map_err(Stopped::Wrong)?;
    Ok(past.check_complete(&first).is_ok())
}

/// Complains if the first start has quarantined something else than it found.
fn kept(damaged: &Files, left: &Files) -> Result<(), String> {
    for (name, bytes) in left {
        let Some((database, rest)) = name.split_once(".damaged-") else { continue };
        let suffix = rest.find('-').map_or("", |at| &rest[at..]);
        let found = damaged.get(&format!("{database}{suffix}"));
        // SQLite maps the index of the log into memory when it opens a database. A start that
        // quarantines corrupt batches before it finds that the file is damaged as well begins a
        // log.
        let is_begun = suffix == "-shm" || (suffix == "-wal" && found.is_none());
        if !is_begun && found != Some(bytes) {
            return Err(format!("{name} is not what was found"));
        }
    }
    Ok(())
}

/// Complains of files that only a repair needs.
fn tidy(left: &Files) -> Result<(), String> {
    let stray = left.keys().find(|name| [".new", ".copy", ".part"].iter().any(|part| name.contains(part)));
    stray.map_or(Ok(()), |stray| Err(format!("{stray} is left")))
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_survived() {
    let past = Past::new(40).await;
    let mut failed = Vec::new();
    let first = number("SEED", 1);
    let flips = number("FLIPS", FLIPS);
    for seed in first..first + flips {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut files, from) =
            if rng.random_bool(0.5) { (past.killed.clone(), "killed") } else { (past.closed.clone(), "closed") };
        let suffix = if from == "killed" && rng.random_bool(0.6) { "-wal" } else { "" };
        let bytes = files.get_mut(&format!("{}{suffix}", database())).expect("a file");
        let (at, bit) = (rng.random_range(0..bytes.len()), rng.random_range(0..8));
        bytes[at] ^= 1 << bit;
        if let Err(why) = check(&past, &files, false).await {
            failed.push(format!(
                "seed {seed}, {from}{suffix}, page {} byte {} bit {bit}: {why}",
                at / 4096 + 1,
                at % 4096
            ));
        }
    }
    assert!(failed.is_empty(), "{} of {flips}:\n{}", failed.len(), failed.join("\n"));
}

#[tokio::test]
async fn files_cut_anywhere_are_survived() {
    let past = Past::new(40).await;
    let name = database();
    let (all, log) = (past.closed[&name].len(), past.killed[&format!("{name}-wal")].len());
    let mut failed = Vec::new();
    let mut cuts: Vec<(&Files, &str, usize)> = Vec::new();
    let middle = all / 2 / 4096 * 4096;
    cuts.extend(
        [0, 1, 50, 100, 4_000, 4096, middle, middle + 2_000, all - 4096, all - 1].map(|at| (&past.closed, "", at)),
    );
    cuts.extend([0, 1, 4096].map(|at| (&past.killed, "", at)));
    let frame = |number: usize| 32 + number * 4120;
    let last = (log - 32) / 4120;
    cuts.extend(
        [0, 1, 31, 32, 40, frame(1), frame(1) + 24, frame(last / 2), frame(last / 2) + 2_000, frame(last - 1), log - 1]
            .map(|at| (&past.killed, "-wal", at)),
    );
    for (from, suffix, at) in cuts {
        let mut files = from.clone();
        files.get_mut(&format!("{name}{suffix}")).expect("a file").truncate(at);
        if let Err(why) = check(&past, &files, true).await {
            failed.push(format!("{suffix} cut to {at}: {why}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn missing_files_are_survived() {
    let past = Past::new(40).await;
    let name = database();
    for (from, gone, is_seen) in [
        (&past.closed, &[""][..], true),
        (&past.killed, &[""], true),
        (&past.killed, &["-wal"], true),
        (&past.killed, &["-shm"], false),
        (&past.killed, &["-wal", "-shm"], true),
        (&past.killed, &["", "-shm"], true),
        (&past.killed, &["", "-wal", "-shm"], true),
        (&past.killed, &[".state"], false),
    ] {
        let mut files = from.clone();
        for suffix in gone {
            files.remove(&format!("{name}{suffix}")).expect("a file");
        }
        check(&past, &files, is_seen).await.map_err(|why| format!("without {gone:?}: {why}")).expect("survived");
    }
}
