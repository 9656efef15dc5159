//! The table of results.

/// What a result is compared with.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// No more than this.
    AtMost(f64),
    /// At least this share of the ceiling: for rates.
    ShareOfCeiling(f64),
    /// At most so many times the ceiling: for durations.
    TimesCeiling(f64),
}

impl Goal {
    fn limit(self, ceiling: Option<f64>) -> Option<f64> {
        match self {
            Self::AtMost(limit) => Some(limit),
            Self::ShareOfCeiling(share) | Self::TimesCeiling(share) => ceiling.map(|ceiling| ceiling * share),
        }
    }

    fn is_met(self, ours: f64, ceiling: Option<f64>) -> bool {
        let limit = self.limit(ceiling);
        match self {
            Self::AtMost(_) | Self::TimesCeiling(_) => limit.is_some_and(|limit| ours <= limit),
            Self::ShareOfCeiling(_) => limit.is_some_and(|limit| ours >= limit),
        }
    }
}

/// One measurement.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    /// Plain TCP.
    pub(crate) floor: Option<f64>,
    /// The program that only encrypts, signs, verifies and commits.
    pub(crate) ceiling: Option<f64>,
    pub(crate) goal: Option<Goal>,
}

/// All measurements of a run.
pub(crate) struct Table {
    rows: Vec<Row>,
    has_verdicts: bool,
}

impl Table {
    /// Makes an empty table. A short run has no verdicts.
    pub(crate) fn new(has_verdicts: bool) -> Self {
        Self { rows: Vec::new(), has_verdicts }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        println!();
        let head = ["floor", "ceiling", "roomful", "ratio", "goal", "verdict"];
        let [floor, ceiling, ours, ratio, goal, verdict] = head;
        println!("{:58} {floor:>10} {ceiling:>10} {ours:>10} {ratio:>6} {goal:>10}  {verdict}", "");
        for row in &self.rows {
            let ratio = row.ceiling.map(|ceiling| row.ours / ceiling);
            let goal = row.goal.and_then(|goal| goal.limit(row.ceiling));
            let verdict = match row.goal.filter(|_| self.has_verdicts) {
                Some(goal) if goal.is_met(row.ours, row.ceiling) => "met",
                Some(_) => "missed",
                None => "",
            };
            println!(
                "{:58} {:>10} {:>10} {:>10} {:>6} {:>10}  {verdict}",
                format!("{}, {}", row.what, row.unit),
                number(row.floor),
                number(row.ceiling),
                number(Some(row.ours)),
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                number(goal),
            );
        }
    }
}

/// Three digits at least, and no more decimals than these need.
fn number(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}
