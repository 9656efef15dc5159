//! The page's storage: it survives restarts and salvage, is bounded, and never evicted.

use roomful::proto::limits::{PAGE_STORAGE_BYTES_MAX, PAGE_STORAGE_ITEMS_MAX, PAGE_STORAGE_VALUE_BYTES_MAX};

use crate::fixtures::{Bed, SIZES};

async fn set(bed: &Bed, key: &str, value: Option<&str>) -> bool {
    bed.store.set_page_item(key.to_owned(), value.map(str::to_owned)).await.expect("written")
}

async fn items(bed: &Bed) -> Vec<(String, String)> {
    bed.store.welcome(None, SIZES).await.expect("readable").storage.into_iter().collect()
}

#[tokio::test]
async fn items_survive_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let bed = Bed::at(&dir);
    assert!(set(&bed, "draft", Some("one")).await && set(&bed, "theme", Some("dark")).await);
    assert!(set(&bed, "draft", Some("two")).await && set(&bed, "theme", None).await && set(&bed, "none", None).await);
    bed.store.close().await;
    assert_eq!(items(&Bed::at(&dir)).await, [("draft".to_owned(), "two".to_owned())]);
}

#[tokio::test]
async fn changes_are_applied_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let bed = Bed::at(&dir);
    let changes: Vec<_> = (0..50).map(|n| bed.store.set_page_item("draft".to_owned(), Some(n.to_string()))).collect();
    for change in changes.into_iter().rev() {
        assert!(change.await.expect("written"));
    }
    assert_eq!(items(&bed).await, [("draft".to_owned(), "49".to_owned())]);
}

#[tokio::test]
async fn a_full_storage_refuses_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().expect("a directory");
    let bed = Bed::at(&dir);
    for n in 0..PAGE_STORAGE_ITEMS_MAX {
        assert!(set(&bed, &n.to_string(), Some("x")).await, "item {n}");
    }
    assert!(!set(&bed, "one more", Some("x")).await, "too many items");
    assert!(set(&bed, "5", Some("y")).await && set(&bed, "6", None).await && set(&bed, "one more", Some("x")).await);
    for (key, _) in items(&bed).await {
        assert!(set(&bed, &key, None).await);
    }
    let largest = "x".repeat(PAGE_STORAGE_VALUE_BYTES_MAX);
    let whole = PAGE_STORAGE_BYTES_MAX / PAGE_STORAGE_VALUE_BYTES_MAX as u64;
    for n in 0..whole {
        assert!(set(&bed, &n.to_string(), Some(&largest)).await, "item {n}");
    }
    assert!(!set(&bed, "one more", Some(&largest)).await, "too many bytes");
    assert!(set(&bed, "0", Some(&largest)).await, "an item takes its own place");
    assert_eq!(items(&bed).await.len() as u64, whole);
}
