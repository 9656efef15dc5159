//! `roomful members`, and whom a word on the command line means.

use super::{Error, Node, print};
use crate::api;
use crate::config::{MIB, Name};

/// Fewer characters of an id name nobody.
const ID_CHARACTERS_MIN: usize = 4;

/// Prints who is here: a table, or one Member a line.
pub async fn members(node: &Node, json: bool) -> Result<(), Error> {
    let members = all(node).await?;
    if json {
        return members.iter().try_for_each(print::json);
    }
    let rows = members.iter().map(|member| {
        let own = if member.own { " (you)" } else { "" };
        [
            format!("{}{own}", print::harmless(&member.name)),
            print::harmless(&member.short),
            print::harmless(&member.addresses.join(", ")),
            format!("{}{}", print::harmless(&member.state), remarks(member)),
            print::local(&member.since),
        ]
    });
    let head = ["NAME", "ID", "ADDRESSES", "STATE", "SINCE"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    table(&rows).iter().try_for_each(|line| print::line(line))
}

/// What is to be known of a member beside its state.
fn remarks(member: &api::Member) -> String {
    let closed = member.closed.as_deref().map(|closed| match closed {
        "quota" => format!("full: {} MiB", member.bytes.div_ceil(MIB)),
        "disk" => "not taken: little disk".to_owned(),
        other => format!("not taken: {}", print::harmless(other)),
    });
    let remarks: Vec<String> = member.forked.then(|| "forked".to_owned()).into_iter().chain(closed).collect();
    if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) }
}

/// The full id of the member that `written` means: by id or at least 4 characters of it, else by exact name.
pub(super) async fn resolve(node: &Node, written: &str) -> Result<String, Error> {
    find(&all(node).await?, written).map(|member| member.id.clone())
}

/// Everybody ever known.
pub(super) async fn all(node: &Node) -> Result<Vec<api::Member>, Error> {
    node.get::<api::Members>("/api/v1/members").await.map(|answer| answer.members)
}

fn find<'a>(members: &'a [api::Member], written: &str) -> Result<&'a api::Member, Error> {
    let id = written.to_ascii_lowercase();
    let name = Name::new(written).ok();
    let is_whole = |member: &api::Member| member.id == id || member.short == id;
    let begins = |member: &api::Member| member.id.starts_with(&id) || member.short.starts_with(&id);
    let is_part = |member: &api::Member| id.len() >= ID_CHARACTERS_MIN && begins(member);
    let is_name = |member: &api::Member| name.as_ref().is_some_and(|name| name.as_str() == member.name);

    let rules: [&dyn Fn(&api::Member) -> bool; 3] = [&is_whole, &is_part, &is_name];
    for rule in rules {
        let fits: Vec<&api::Member> = members.iter().filter(|member| rule(member)).collect();
        match fits[..] {
            [] => {}
            [member] => return Ok(member),
            _ => {
                let told = fits.iter().map(|member| format!("{} {}", print::harmless(&member.name), member.short));
                return Err(Error::Ambiguous { written: print::harmless(written), fits: told.collect() });
            }
        }
    }
    Err(Error::NoSuchMember(print::harmless(written)))
}

/// Rows in columns as wide as their widest field.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    let line = |row: &[String; N]| {
        let fields = row.iter().zip(widths).map(|(field, wide)| format!("{field}{}", " ".repeat(wide - width(field))));
        fields.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// About how many cells a terminal gives to `text`: two for the scripts of East Asia and emoji, none for what combines.
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

    fn member(id: &str, short: &str, name: &str) -> api::Member {
        api::Member {
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
            bytes: 0,
            closed: None,
        }
    }

    #[test]
    fn a_member_is_meant_by_id_first_and_then_by_name() {
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
    fn columns_stand_below_each_other() {
        let rows = [["NAME", "ID"], ["界", "a"], ["Zoe\u{301}", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), ["NAME  ID", "界    a", "Zoe\u{301}   b"]);
    }
}
