// Runs of comings and goings and of new names become one row; anything else between them, also the marker of the unread, ends a run.

const FOLDED = new Set(["joined", "back", "left", "lost", "renamed"]);

export function foldNotices(rows, unfolded) {
  const folded = [];
  for (let i = 0; i < rows.length; ) {
    let end = i;
    while (end < rows.length && rows[end].type === "notice" && FOLDED.has(rows[end].notice.kind)) end += 1;
    if (end - i < 2) {
      folded.push(rows[i]);
      i += 1;
      continue;
    }
    const run = rows.slice(i, end);
    // The key is that of the first notice: the row stays the same one while the run grows.
    folded.push({
      type: "fold",
      key: run[0].key,
      isOpen: unfolded.has(run[0].key),
      last: run.at(-1).notice.arrival,
      shared: run.filter((row) => row.isShared).length,
      run,
      groups: summarise(run),
    });
    i = end;
  }
  return folded;
}

/** What a run comes to, for each member: who left and came back is one thing, not two; of several names the last counts. */
export function summarise(run) {
  const members = new Map();
  const renamed = new Map();
  for (const row of run) {
    const { member, kind } = row.notice;
    if (kind === "renamed") {
      renamed.set(member, { ...row, was: (renamed.get(member) ?? row).was });
      continue;
    }
    const came = kind === "joined" || kind === "back";
    const seen = members.get(member);
    if (seen) Object.assign(seen, { row, last: kind, flapped: true, cameLast: came });
    else members.set(member, { row, last: kind, flapped: false, cameFirst: came, cameLast: came });
  }
  const groups = {
    returned: [],
    visited: [],
    joined: [],
    back: [],
    left: [],
    lost: [],
    renamed: [...renamed.values()],
  };
  for (const { row, last, flapped, cameFirst, cameLast } of members.values()) {
    if (flapped && !cameFirst && cameLast) groups.returned.push(row);
    else if (flapped && cameFirst && !cameLast) groups.visited.push(row);
    else groups[last].push(row);
  }
  return Object.entries(groups).filter(([, found]) => found.length > 0);
}
