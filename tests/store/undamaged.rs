//! What differs from what was signed and is no damage: the user is not told of a disk that changed something.

use roomful::proto::clock::Stamp;
use roomful::proto::name::Name;
use roomful::proto::record::{MemberRecord, Write};

use crate::support::{Author, Bed, NOON, profile, say};

/// What a hello says, which is not signed and names any time.
fn told(ana: &Author, name: &str, at_ms: u64) -> Write {
    Write::Member(MemberRecord {
        id: ana.id(),
        name: Name::new(name).expect("a name"),
        name_time: Stamp::from_ms(NOON + at_ms),
        addresses: Vec::new(),
        port: 1,
        since_ms: NOON,
        lost: false,
    })
}

#[tokio::test]
async fn a_name_told_for_the_time_of_a_signed_one_is_ignored() {
    let mut ana = Author::new(2);
    let (first, second) = (ana.batch(&[profile("Ana"), say("hi")], None), ana.named("Anna"));
    let dir = tempfile::tempdir().expect("a directory");
    let mut bed = Bed::at(&dir);
    bed.append(&[&first]).await;
    // The name that is signed comes first, and then last.
    bed.store.write(told(&ana, "Other", 1_000));
    bed.store.write(told(&ana, "Another", 3_000));
    bed.append(&[&second]).await;
    bed.store.close().await;
    let bed = Bed::at(&dir);
    assert_eq!(bed.opened.snapshot.members[0].name.as_str(), "Anna");
    assert_eq!(bed.store.mended_now(), None);
}
