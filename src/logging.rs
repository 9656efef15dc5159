//! Logging to standard error.
//!
//! Secrets are never logged. Messages at INFO or above are limited to one per callsite and second,
//! so that a remote peer cannot fill the disk or bury other messages.

pub mod throttle;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

/// The shortest time between two messages of one callsite.
const SAME_CAUSE_EVERY: Duration = Duration::from_secs(1);

/// Starts logging.
///
/// `level` (`--log`, or its environment variable) applies to this program only. `RUST_LOG` can also
/// enable messages of libraries, except those that would contain secrets.
pub fn start(level: Option<&str>) -> LogControl {
    let (filter, control) = reload::Layer::new(filter(level));
    let lines = lines(io::stderr, LogStyle::of_process());
    tracing_subscriber::registry().with(filter).with(lines).init();
    LogControl(control)
}

/// Changes the running log.
#[derive(Clone, Debug)]
pub struct LogControl(reload::Handle<EnvFilter, Registry>);

impl LogControl {
    /// Sets the level, as [`start`] does.
    pub fn set_level(&self, level: Option<&str>) {
        // The log lasts as long as the program.
        _ = self.0.reload(filter(level));
    }
}

/// The form of a line, by its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogStyle {
    /// With the time.
    Timed,
    /// Without the time, which a service manager adds.
    Untimed,
    /// For the journal, which reads a priority in front of each line.
    Journal,
}

impl LogStyle {
    /// Returns the style for standard error, as the environment describes it.
    fn of_process() -> Self {
        let stderr = rustix::fs::fstat(io::stderr()).ok().map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
        let journal = std::env::var("JOURNAL_STREAM").ok();
        if journal.is_some() && journal == stderr {
            Self::Journal
        } else if journal.is_some() || std::env::var_os("NOTIFY_SOCKET").is_some() {
            Self::Untimed
        } else {
            Self::Timed
        }
    }
}

/// Formats an event for the journal: `<4>roomful::net: text`.
struct JournalFormat;

impl<S, N> FormatEvent<S, N> for JournalFormat
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let priority = match *metadata.level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>{}: ", metadata.target())?;
        ctx.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

fn filter(level: Option<&str>) -> EnvFilter {
    let filter = match level {
        Some(level) => EnvFilter::new(format!("warn,roomful={level}")),
        None => EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy(),
    };
    // At finer levels these libraries print whole frames, including sign-in tokens.
    ["tungstenite=info", "tokio_tungstenite=info"]
        .into_iter()
        .fold(filter, |filter, quiet| filter.add_directive(quiet.parse().expect("our own directives can be read")))
}

/// The layer that formats and writes messages.
fn lines<S, W>(writer: W, style: LogStyle) -> Box<dyn tracing_subscriber::Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    // Without colours: an escape sequence in the log could also come from a peer.
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let limit = PerCallsiteLimit::default();
    match style {
        LogStyle::Timed => layer.with_filter(limit).boxed(),
        LogStyle::Untimed => layer.without_time().with_filter(limit).boxed(),
        LogStyle::Journal => layer.event_format(JournalFormat).with_filter(limit).boxed(),
    }
}

/// Drops events of a callsite that logged less than a second ago. DEBUG and TRACE are not limited.
#[derive(Default)]
struct PerCallsiteLimit(Mutex<HashMap<Identifier, Instant>>);

impl PerCallsiteLimit {
    fn is_due(&self, cause: Identifier, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = logged.get(&cause).is_none_or(|at| now.duration_since(*at) >= SAME_CAUSE_EVERY);
        if is_due {
            logged.insert(cause, now);
        }
        is_due
    }
}

impl<S> Filter<S> for PerCallsiteLimit {
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
        let subscriber = tracing_subscriber::registry().with(lines(move || writer.clone(), LogStyle::Timed));
        tracing::subscriber::with_default(subscriber, || (0..times).for_each(&say));
        let kept = kept.0.lock().expect("no panic while it is held");
        String::from_utf8_lossy(&kept).lines().filter(|line| line.contains(word)).count()
    }

    #[test]
    fn storm_of_one_callsite_is_limited_alone() {
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
    fn journal_gets_priorities_instead_of_times() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::registry().with(lines(move || writer.clone(), LogStyle::Journal));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(count = 3, "a warning");
            tracing::debug!("a step");
        });
        let kept = kept.0.lock().expect("no panic while it is held");
        let expected = "<4>roomful::logging::tests: a warning count=3\n<7>roomful::logging::tests: a step\n";
        assert_eq!(String::from_utf8_lossy(&kept), expected);
    }

    #[test]
    fn debug_messages_are_not_limited() {
        assert_eq!(count(50, "step", |number| tracing::debug!("step {number}")), 50);
    }

    #[test]
    fn callsite_logs_again_after_a_second() {
        let (causes, now) = (PerCallsiteLimit::default(), Instant::now());
        let due = |ms| causes.is_due(CAUSE.metadata().callsite(), now + Duration::from_millis(ms));
        assert_eq!([0, 1, 999, 1_000, 1_500, 2_000].map(due), [true, false, false, true, false, true]);
    }
}
