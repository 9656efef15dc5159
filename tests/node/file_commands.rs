//! Files by command: sent on one node, listed and fetched on another.

use std::fs;

use support::lab::Lab;
use support::wait::until;
use support::{Result, ensure};

#[tokio::test]
async fn files_are_sent_listed_and_fetched() -> Result<()> {
    let lab = Lab::new()?;
    let anna = lab.node("anna").host("127.0.0.1").start()?;
    let ben = lab.node("ben").host("127.0.0.2").option("--auto-fetch", "0").start()?;
    until("both have met", async || super::all_met(&[&anna, &ben]).await).await?;
    let (one, two) = (lab.dir().join("one.bin"), lab.dir().join("two.txt"));
    let bytes: Vec<u8> = (0..700_000_u32).map(|number| (number % 251) as u8).collect();
    fs::write(&one, &bytes)?;
    fs::write(&two, "two")?;
    let paths = [one.display().to_string(), two.display().to_string()];
    let sent = anna.run(&["send", "--json", "--file", &paths[0], &paths[1], "both of them"])?.json_lines()?;
    let message = &sent[0];
    ensure!(message["text"] == "both of them" && message["files"][0]["name"] == "one.bin", "{message}");
    ensure!(message["files"][1]["name"] == "two.txt" && message["files"][1]["state"] == "here", "{message}");
    let piped = anna.run_with(&["send", "--json", "--file", "-", "--name", "log.txt"], "from a pipe")?.json_lines()?;
    ensure!(piped[0]["text"] == "" && piped[0]["files"][0]["name"] == "log.txt", "{piped:?}");
    anna.run(&["send", "--file", "/nowhere/x"])?.refused_with(1, "/nowhere/x cannot be read")?;

    let id = support::api::text_of(message, "id");
    until("ben knows both messages", async || {
        ensure!(ben.run(&["files", "--json"])?.json_lines()?.len() == 3, "not yet");
        Ok(())
    })
    .await?;
    let target = lab.dir().join("target");
    fs::create_dir(&target)?;
    let target_text = target.display().to_string();
    let got = ben.run(&["get", &id[56..], "-o", &target_text])?;
    ensure!(got.status.success() && got.stdout.is_empty() && got.stderr.is_empty(), "{got:?}");
    ensure!(fs::read(target.join("one.bin"))? == bytes && fs::read(target.join("two.txt"))? == b"two", "the bytes");
    ensure!(fs::read_dir(&target)?.count() == 2, "nothing half is left");
    let tail = ben.run(&["tail"])?.stdout;
    ensure!(tail.contains("both of them [one.bin] [two.txt]\n") && tail.contains("anna: [log.txt]\n"), "{tail}");
    let content = support::api::text_of(&piped[0]["files"][0], "content");
    let printed = ben.run(&["get", &content, "-o", "-"])?;
    ensure!(printed.stdout == "from a pipe", "{printed:?}");

    fs::write(target.join("two.txt"), "mine")?;
    ben.run(&["get", &id, "-o", &target_text])?.refused_with(1, "exists already")?;
    ensure!(fs::read(target.join("two.txt"))? == b"mine", "it is kept");
    let forced = ben.run(&["get", &id, "--force", "-o", &target_text])?;
    ensure!(forced.status.success() && fs::read(target.join("two.txt"))? == b"two", "{forced:?}");
    let table = ben.run(&["files"])?.stdout;
    let fields = |line: &str| line.split_whitespace().take(5).map(str::to_owned).collect::<Vec<_>>();
    ensure!(table.lines().any(|line| fields(line) == ["one.bin", "700000", "here", "100", "%"]), "{table}");

    anna.run(&["send", "no files"])?;
    anna.run(&["get", "last"])?.refused_with(1, "this message has no files")?;
    fs::write(&two, "gone")?;
    let gone = anna.run(&["send", "--json", "--file", &paths[1]])?.json_lines()?;
    let content = support::api::text_of(&gone[0]["files"][0], "content");
    until("ben knows it", async || {
        ensure!(ben.run(&["files", "--json"])?.json_lines()?.len() == 4, "not yet");
        Ok(())
    })
    .await?;
    anna.stop()?;
    ben.run(&["get", &content, "--timeout", "1", "-o", "-"])?.refused_with(1, "no member sent two.txt within 1 s")?;
    Ok(())
}
