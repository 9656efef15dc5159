//! Exports: identical bytes on two nodes.

use support::lab::Lab;
use support::wait::until;
use support::{Result, Value, ensure, json};

#[tokio::test]
async fn two_nodes_that_hold_the_same_export_the_same_bytes() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").start()?;
    until("they meet", async || anna.api.sees_exactly(&[ben.id()]).await).await?;
    until("both ways", async || ben.api.sees_exactly(&[anna.id()]).await).await?;
    let hostile = "</p><script>alert(1)</script> \u{202e}x\nsecond line";
    let first = anna.api.say(hostile).await?;
    let answer = json!({"text": "yes", "reply_to": first["id"]});
    until("the answer can be given", async || {
        ben.api.post("/api/v1/messages", &answer).await?.with(201)?;
        Ok(())
    })
    .await?;
    for number in 0..600 {
        anna.api.say(&format!("{number}")).await?;
    }
    ben.api.post("/api/v1/messages", &json!({"text": "aside", "channel": "news"})).await?.with(201)?;
    ben.api.post("/api/v1/messages", &json!({"text": "psst", "to": anna.id()})).await?.with(201)?;
    let lines = |out: &str| out.lines().count();
    let args = ["export", "--format", "json", "--direct"];
    until("both hold all", async || {
        let held = [lines(&anna.run(&args)?.stdout), lines(&ben.run(&args)?.stdout)];
        ensure!(held == [604, 604], "{held:?}");
        Ok(())
    })
    .await?;
    for args in [&args[..], &["export"], &["export", "--format", "html", "--direct"], &["export", "--json"]] {
        let (one, two) = (anna.run(args)?, ben.run(args)?);
        ensure!(one.status.success() && one.stderr.is_empty(), "{args:?}: {}", one.stderr);
        ensure!(one.stdout == two.stdout, "{args:?} differs");
    }

    let all = anna.run(&args)?.json_lines()?;
    ensure!(all.iter().filter(|entry| entry["text"] == "psst").count() == 1, "the direct one is in it");
    let json = anna.run(&["export", "--json"])?;
    ensure!(!json.stdout.contains("psst") && lines(&json.stdout) == 603, "the direct one is not in it");
    let fields = [
        "id",
        "author",
        "name",
        "time",
        "kind",
        "channel",
        "to",
        "text",
        "reply_to",
        "edited",
        "deleted",
        "reactions",
        "files",
    ];
    let line = json.stdout.lines().next().unwrap_or_default();
    let places: Vec<_> = fields.iter().map(|field| line.find(&format!("\"{field}\":"))).collect();
    ensure!(places.is_sorted() && places.iter().all(Option::is_some), "{line}");
    let parsed: Value = serde_json::from_str(line)?;
    ensure!(parsed.as_object().is_some_and(|object| object.len() == fields.len()), "{line}");
    ensure!(parsed["text"] == hostile && parsed["name"] == "anna" && parsed["channel"] == "general", "{line}");

    let html = anna.run(&["export", "--format", "html"])?.stdout;
    ensure!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"), "one file");
    ensure!(!html.contains("<script") && html.contains("&#60;script&#62;"), "escaped");
    let text = anna.run(&["export"])?.stdout;
    ensure!(!text.contains('\u{202e}') && text.contains("\n    second line\n"), "harmless");
    Ok(())
}
