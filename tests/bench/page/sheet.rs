//! A table of measurements and their budgets.

/// One line of the sheet.
struct Line {
    what: String,
    measured: f64,
    /// What half of them did not exceed, where there were several.
    typical: Option<f64>,
    budget: Option<f64>,
    unit: &'static str,
}

/// All of it, in the order in which it was measured.
#[derive(Default)]
pub(crate) struct Sheet {
    lines: Vec<Line>,
}

impl Sheet {
    /// Something that has a budget.
    pub(crate) fn note(&mut self, what: &str, measured: f64, budget: f64, unit: &'static str) {
        self.lines.push(Line { what: what.to_owned(), measured, typical: None, budget: Some(budget), unit });
    }

    /// What was done several times, in milliseconds: the budget is for 95 of 100.
    pub(crate) fn note_all(&mut self, what: &str, values: &[f64], budget: f64) {
        let (measured, typical) = (percentile(values, 95), Some(percentile(values, 50)));
        self.lines.push(Line { what: what.to_owned(), measured, typical, budget: Some(budget), unit: "ms" });
    }

    /// Something that is only good to know.
    pub(crate) fn tell(&mut self, what: &str, measured: f64, unit: &'static str) {
        self.lines.push(Line { what: what.to_owned(), measured, typical: None, budget: None, unit });
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        println!("\n{:40} {:>9} {:>9} {:>9}", "", "median", "measured", "at most");
        for Line { what, measured, typical, budget, unit } in &self.lines {
            let [typical, at_most] = [typical, budget].map(|number| number.map_or(String::new(), short));
            let verdict = if budget.is_some_and(|budget| *measured > budget) { "OVER" } else { "" };
            println!("{what:40} {typical:>9} {:>9} {at_most:>9} {unit:3} {verdict}", short(*measured));
        }
    }
}

/// A number of three digits or so.
fn short(number: f64) -> String {
    if number == 0.0 || number >= 100.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

/// The value that so many of a hundred do not exceed.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) * percent / 100).copied().unwrap_or(f64::NAN)
}
