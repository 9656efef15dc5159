//! `roomful members`, and the lookup of a MEMBER on the command line.

use super::{Error, NodeClient, print};
use crate::api;
use crate::config::{MIB, Name};

/// Fewest characters of an id that name a member.
const ID_CHARACTERS_MIN: usize = 4;

/// Prints the members, as a table or as one Member a line.
pub async fn members(node: &NodeClient, json: bool) -> Result<(), Error> {
    let members = all(node).await?;
    if json {
        return members.iter().try_for_each(print::json);
    }
    let rows = members.iter().map(|member| {
        let own = if member.own { " (you)" } else { "" };
        [
            format!("{}{own}", print::sanitize(&member.name)),
            print::sanitize(&member.short),
            print::sanitize(&member.addresses.join(", ")),
            format!("{}{}", print::sanitize(&member.state), remarks(member)),
            print::local(&member.since),
        ]
    });
    let head = ["NAME", "ID", "ADDRESSES", "STATE", "SINCE"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    table(&rows).iter().try_for_each(|line| print::line(line))
}

/// Returns remarks about a member besides its state.
fn remarks(member: &api::MemberJson) -> String {
    let closed = member.closed.as_deref().map(|closed| match closed {
        "quota" => format!("storage limit reached: {} MiB", member.bytes.div_ceil(MIB)),
        "disk" => "not saved: disk almost full".to_owned(),
        other => format!("not saved: {}", print::sanitize(other)),
    });
    let remarks: Vec<String> = member.forked.then(|| "forked".to_owned()).into_iter().chain(closed).collect();
    if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) }
}

/// Returns the full id of the member that `written` names: by an id or at least 4 characters of it,
/// else by its exact name.
pub(super) async fn resolve(node: &NodeClient, written: &str) -> Result<String, Error> {
    find(&all(node).await?, written).map(|member| member.id.clone())
}

/// Returns all members ever known.
pub(super) async fn all(node: &NodeClient) -> Result<Vec<api::MemberJson>, Error> {
    node.get::<api::Members>("/api/v1/members").await.map(|answer| answer.members)
}

fn find<'a>(members: &'a [api::MemberJson], written: &str) -> Result<&'a api::MemberJson, Error> {
    let id = written.to_ascii_lowercase();
    let name = Name::new(written).ok();
    let is_whole = |member: &api::MemberJson| member.id == id || member.short == id;
    let begins = |member: &api::MemberJson| member.id.starts_with(&id) || member.short.starts_with(&id);
    let is_part = |member: &api::MemberJson| id.len() >= ID_CHARACTERS_MIN && begins(member);
    let is_name = |member: &api::MemberJson| name.as_ref().is_some_and(|name| name.as_str() == member.name);

    let rules: [&dyn Fn(&api::MemberJson) -> bool; 3] = [&is_whole, &is_part, &is_name];
    for rule in rules {
        let fits: Vec<&api::MemberJson> = members.iter().filter(|member| rule(member)).collect();
        match fits[..] {
            [] => {}
            [member] => return Ok(member),
            _ => {
                let told = fits.iter().map(|member| format!("{} {}", print::sanitize(&member.name), member.short));
                return Err(Error::Ambiguous { written: print::sanitize(written), fits: told.collect() });
            }
        }
    }
    Err(Error::NoSuchMember(print::sanitize(written)))
}

/// Formats rows in columns as wide as their widest field.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    let line = |row: &[String; N]| {
        let fields = row.iter().zip(widths).map(|(field, wide)| format!("{field}{}", " ".repeat(wide - width(field))));
        fields.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Estimates the width of a text in terminal cells: two for East Asian scripts and emoji, none for
/// combining characters.
fn width(text: &str) -> usize {
    let cells = |c: char| match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    };
    text.chars().map(cells).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, short: &str, name: &str) -> api::MemberJson {
        api::MemberJson {
            id: id.repeat(8),
            short: short.to_owned(),
            name: name.to_owned(),
            state: "online".to_owned(),
            own: false,
            addresses: Vec::new(),
            since: String::new(),
            direct: true,
            via: None,
            clock_error_ms: None,
            verified: false,
            muted: false,
            blocked: false,
            forked: false,
            status: None,
            bytes: 0,
            closed: None,
        }
    }

    #[test]
    fn member_is_resolved_by_id_then_by_name() {
        let members = [
            member("01234567", "aaaaaaaa", "Ana"),
            member("89abcdef", "aaaabbbb", "Bo"),
            member("deadbeef", "cccccccc", "Ana"),
            member("76543210", "dddddddd", "deadbeef"),
        ];
        let id = |written: &str| find(&members, written).map(|member| member.short.as_str());
        assert_eq!(id("aaaaaaaa").unwrap(), "aaaaaaaa");
        assert_eq!(id("AAAAB").unwrap(), "aaaabbbb");
        assert_eq!(id("89ab").unwrap(), "aaaabbbb");
        assert_eq!(id(&"deadbeef".repeat(8)).unwrap(), "cccccccc");
        assert_eq!(id("deadbeef").unwrap(), "cccccccc", "ids go before names");
        assert_eq!(id(" Bo ").unwrap(), "aaaabbbb");
        for unknown in ["bo", "89a", "", "aaaaaaaaa", "Cy"] {
            assert!(matches!(id(unknown), Err(Error::NoSuchMember(_))), "{unknown}");
        }
        assert!(matches!(id("aaaa"), Err(Error::Ambiguous { fits, .. }) if fits == ["Ana aaaaaaaa", "Bo aaaabbbb"]));
        let error = id("Ana").unwrap_err().to_string();
        assert!(error.contains("Ana aaaaaaaa") && error.contains("Ana cccccccc"), "{error}");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["NAME", "ID"], ["界", "a"], ["Zoe\u{301}", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), ["NAME  ID", "界    a", "Zoe\u{301}   b"]);
    }
}
