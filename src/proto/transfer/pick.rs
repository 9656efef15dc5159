//! Chooses the next units to ask a peer for.

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::wanted::Transfer;
use crate::proto::files::group_set::groups_of_part;
use crate::proto::ids::LinkId;

/// Returns the first unit and the number of units to ask a link for, at most `groups_max` of one
/// part. None if the link holds nothing that is missing and was not asked for.
///
/// The part that the link works on is finished first. Of the others the one that the fewest hold is
/// chosen, by chance among equals; parts of which nothing was asked for come before those that
/// other links work on.
pub(super) fn pick(
    transfer: &Transfer,
    link: LinkId,
    working_on: Option<u64>,
    groups_max: u64,
    rng: &mut StdRng,
) -> Option<(u64, u64)> {
    let size = transfer.held.size();
    let free = |part: u64| transfer.requested.first_missing(part);
    let found = working_on.filter(|part| free(*part).is_some()).or_else(|| rarest(transfer, link, rng));
    let part = found?;
    let first = free(part).filter(|first| transfer.is_held_by(link, *first))?;
    let end = groups_of_part(size, part).end.min(first + groups_max);
    let count = (first..end).take_while(|group| !transfer.requested.contains(*group)).count() as u64;
    Some((first, count))
}

fn rarest(transfer: &Transfer, link: LinkId, rng: &mut StdRng) -> Option<u64> {
    let size = transfer.held.size();
    let mut best: Option<((bool, u32), u64)> = None;
    let mut equals = 0;
    for part in 0..transfer.parts() {
        let Some(first) = transfer.requested.first_missing(part) else { continue };
        if !transfer.is_held_by(link, first) {
            continue;
        }
        let is_begun = first != groups_of_part(size, part).start;
        let rank = (is_begun, transfer.count(part));
        match best {
            Some((least, _)) if rank > least => continue,
            Some((least, _)) if rank == least => equals += 1,
            _ => equals = 1,
        }
        // Each of the equals is chosen with the same chance.
        if rng.random_range(0..equals) == 0 {
            best = Some((rank, part));
        }
    }
    best.map(|(_, part)| part)
}
