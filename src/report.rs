//! What is reported on standard error: as finely as was asked for, nothing that opens a door, and of one cause no more than a
//! line a second, whatever goes on: a log that a stranger can fill hides what matters, and takes the disk.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// The shortest time between two lines of one cause.
const SAME_CAUSE_EVERY: Duration = Duration::from_secs(1);

/// Reports from here on. `level` and its variable mean this program alone. Only `RUST_LOG` opens the libraries below it, and
/// of those none that would tell a secret.
pub fn start(level: Option<&str>) {
    let filter = match level {
        Some(level) => EnvFilter::new(format!("warn,roomful={level}")),
        None => EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy(),
    };
    // These print whole frames, and with them what opens the page.
    let filter = ["tungstenite=info", "tokio_tungstenite=info"]
        .into_iter()
        .fold(filter, |filter, quiet| filter.add_directive(quiet.parse().expect("our own directives can be read")));
    tracing_subscriber::registry().with(filter).with(lines(io::stderr)).init();
}

/// The layer that writes lines.
fn lines<S, W>(writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    // No colours: what comes from a terminal's escapes could as well come from a peer.
    tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).with_filter(OfOneCause::default())
}

/// Lets a place in the program say something once a second. What is only for those who look for a fault is said whenever
/// it happens.
#[derive(Default)]
struct OfOneCause(Mutex<HashMap<Identifier, Instant>>);

impl OfOneCause {
    fn is_due(&self, cause: Identifier, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = said.get(&cause).is_none_or(|at| now.duration_since(*at) >= SAME_CAUSE_EVERY);
        if is_due {
            said.insert(cause, now);
        }
        is_due
    }
}

impl<S> Filter<S> for OfOneCause {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        *metadata.level() > Level::INFO || self.is_due(metadata.callsite(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use tracing::Callsite as _;

    use super::*;

    static CAUSE: tracing::callsite::DefaultCallsite = {
        static ITS: Metadata<'static> = tracing::metadata! {
            name: "cause",
            target: "test",
            level: Level::WARN,
            fields: &[],
            callsite: &CAUSE,
            kind: tracing::metadata::Kind::EVENT,
        };
        tracing::callsite::DefaultCallsite::new(&ITS)
    };

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic while it is held").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn count(times: usize, word: &str, say: impl Fn(usize)) -> usize {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::registry().with(lines(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || (0..times).for_each(&say));
        let kept = kept.0.lock().expect("no panic while it is held");
        String::from_utf8_lossy(&kept).lines().filter(|line| line.contains(word)).count()
    }

    #[test]
    fn a_storm_of_one_cause_is_few_lines_and_hides_no_other() {
        let begun = Instant::now();
        let storm = count(10_000, "storm", |number| {
            tracing::warn!("storm {number}");
        });
        let seconds = usize::try_from(begun.elapsed().as_secs()).expect("a short time");
        assert!((1..=1 + seconds).contains(&storm), "{storm} lines in {seconds} s");
        let other = count(100, "other", |number| {
            tracing::warn!("storm {number}");
            if number == 50 {
                tracing::warn!("other");
            }
        });
        assert_eq!(other, 1);
    }

    #[test]
    fn what_is_for_those_who_look_for_a_fault_is_all_there() {
        assert_eq!(count(50, "step", |number| tracing::debug!("step {number}")), 50);
    }

    #[test]
    fn a_cause_is_heard_again_after_a_second() {
        let (causes, now) = (OfOneCause::default(), Instant::now());
        let due = |ms| causes.is_due(CAUSE.metadata().callsite(), now + Duration::from_millis(ms));
        assert_eq!([0, 1, 999, 1_000, 1_500, 2_000].map(due), [true, false, false, true, false, true]);
    }
}
