//! `roomful files`: the known files, and how much of each is here.

use crate::api::{FileJson, FileList};
use crate::client::members::table;
use crate::client::{Error, NodeClient, print};

/// Prints the files, as a table or as one File a line.
pub async fn files(node: &NodeClient, json: bool) -> Result<(), Error> {
    let files = known(node).await?;
    if json {
        return files.iter().try_for_each(print::json);
    }
    let row = |file: &FileJson| {
        let have = (u128::from(file.have) * 100 / u128::from(file.size.max(1))).min(100);
        let have = if file.state == "here" { 100 } else { have };
        [
            print::sanitize(&file.name),
            file.size.to_string(),
            file.state.clone(),
            format!("{have} %"),
            file.content.clone(),
        ]
    };
    let head = ["NAME", "BYTES", "STATE", "HERE", "CONTENT"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(files.iter().map(row)).collect();
    table(&rows).iter().try_for_each(|line| print::line(line))
}

/// Returns all files that messages name.
pub(super) async fn known(node: &NodeClient) -> Result<Vec<FileJson>, Error> {
    node.get::<FileList>("/api/v1/files").await.map(|list| list.files)
}
