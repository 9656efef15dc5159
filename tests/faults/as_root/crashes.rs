//! Nodes killed at random moments of starting, sending, receiving and catching up.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use rustix::process::Signal;

use crate::record::{Record, history};
use crate::room::{all_met, met};
use crate::seeds::for_each_seed;
use support::api::text_of;
use support::lab::Lab;
use support::node::{Launch, Node};
use support::wait::until;
use support::{Result, ensure};

/// How many lives of a room are tried unless the environment says otherwise.
const SEEDS: u64 = 2;

/// Longest text said, in bytes: from one page of the database to many.
const TEXT_BYTES_MAX: usize = 8_000;

/// Starts what follows on a machine whose network ends at itself.
const ALONE: [&str; 6] = ["unshare", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"];

/// Three nodes of which one is killed, again and again.
struct Life {
    lab: Lab,
    record: Record,
    said: AtomicU64,
    rng: StdRng,
}

#[tokio::test]
async fn killed_node_keeps_acknowledged_messages() -> Result<()> {
    let test = "killed_node_keeps_acknowledged_messages";
    for_each_seed(test, SEEDS, async |rng| {
        let mut life = Life { lab: Lab::new()?, record: Record::default(), said: AtomicU64::new(0), rng };
        let mut nodes: Vec<Node> = met::<3>(&life.lab).await?.into();
        for _ in 0..4 {
            let victim = life.rng.random_range(0..nodes.len());
            nodes.swap(0, victim);
            let victim = life.talk_until_the_first_is_killed(nodes.remove(0), &nodes).await?;
            let victim = life.alone(victim, &nodes).await?;
            nodes.push(life.come_back(victim).await?);
        }
        let all: Vec<&Node> = nodes.iter().collect();
        until("all have met again", async || all_met(&all).await).await?;
        until("all agree", async || life.record.check(&all).await).await?;
        ensure!(life.record.count() > 0, "nothing was acknowledged");
        Ok(())
    })
    .await
}

impl Life {
    /// All nodes send at once, and the first is killed at a random moment. The others send a little
    /// more.
    async fn talk_until_the_first_is_killed(&mut self, victim: Node, others: &[Node]) -> Result<Launch> {
        let moment = Duration::from_millis(self.rng.random_range(0..600));
        let bytes = self.rng.random_range(0..TEXT_BYTES_MAX);
        let quiet = AtomicBool::new(false);
        let kill = async {
            tokio::time::sleep(moment).await;
            victim.signal(Signal::KILL)?;
            for node in others {
                self.say(node, bytes).await?;
            }
            quiet.store(true, Ordering::Relaxed);
            anyhow::Ok(())
        };
        let talk = async |node: &Node| {
            let mut lives = true;
            while lives && !quiet.load(Ordering::Relaxed) {
                lives = self.say(node, bytes).await.is_ok();
            }
        };
        let (killed, ..) = tokio::join!(kill, talk(&victim), talk(&others[0]), talk(&others[1]));
        killed?;
        victim.kill()
    }

    /// Starts it without peers: everything that it acknowledged to users or peers must be there.
    async fn alone(&self, victim: Launch, others: &[Node]) -> Result<Launch> {
        let node = victim.clone().through(&ALONE).start()?;
        self.record.own_are_on(&node).await?;
        let held: BTreeSet<String> = history(&node.api).await?.iter().map(|line| text_of(line, "id")).collect();
        for other in others {
            for message in history(&other.api).await?.iter().filter(|message| message["held_by"] == 2) {
                let text: String = text_of(message, "text").chars().take(40).collect();
                ensure!(held.contains(&text_of(message, "id")), "{} said it holds {text}, and does not", node.name());
            }
        }
        ensure!(!node.said().contains("damaged"), "a kill damages no database: {}", node.said());
        node.kill()?;
        Ok(victim)
    }

    /// Starts it for good; often it is killed once or twice more while it starts and catches up.
    async fn come_back(&mut self, victim: Launch) -> Result<Node> {
        for _ in 0..self.rng.random_range(0..3) {
            let moment = Duration::from_millis(self.rng.random_range(0..500));
            let starting = victim.spawn()?;
            tokio::time::sleep(moment).await;
            // Whatever it does at that moment, it is killed by this.
            drop(starting);
        }
        victim.start()
    }

    /// Says something new; only that it is acknowledged counts.
    async fn say(&self, node: &Node, bytes: usize) -> Result<()> {
        let number = self.said.fetch_add(1, Ordering::Relaxed);
        let text = format!("{} says {number} {}", node.name(), "x".repeat(bytes));
        let answer = self.record.try_say(node, text.trim_end()).await?;
        ensure!(answer.status == 201, "{}", answer.status);
        Ok(())
    }
}
