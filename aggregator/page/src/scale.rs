//! Axes: where a value lies between two ends, and the labels beside it. The plot of a picture is stretched to the
//! room it has; labels are HTML, so that they keep their size.

use maud::{Markup, html};

/// The width of every plot in its own units.
pub(crate) const WIDTH: f64 = 1000.0;
/// The height of every plot in its own units.
pub(crate) const HEIGHT: f64 = 300.0;

/// A linear axis from 0 to `most`, which is a round number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear {
    pub(crate) most: f64,
    steps: u32,
}

impl Linear {
    /// An axis that reaches `value`.
    pub(crate) fn reaching(value: f64) -> Self {
        let value = value.max(1.0);
        let unit = 10_f64.powf(value.log10().floor());
        // The first round number with few even steps that is large enough.
        let rounds = [
            (1.0, 4),
            (1.2, 4),
            (1.6, 4),
            (2.0, 4),
            (2.5, 5),
            (3.0, 3),
            (4.0, 4),
            (5.0, 5),
            (6.0, 3),
            (8.0, 4),
            (10.0, 4),
        ];
        let (times, steps) = rounds
            .into_iter()
            .find(|(times, _)| times * unit >= value)
            .unwrap_or((10.0, 4));
        Self {
            most: times * unit,
            steps,
        }
    }

    /// The share of the axis at which `value` lies.
    pub(crate) fn share(self, value: f64) -> f64 {
        (value / self.most).clamp(0.0, 1.0)
    }

    /// The vertical place of `value` in a plot.
    pub(crate) fn y(self, value: f64) -> f64 {
        HEIGHT * (1.0 - self.share(value))
    }

    /// The values with a label, from the top.
    pub(crate) fn ticks(self) -> Vec<f64> {
        (0..=self.steps)
            .rev()
            .map(|n| self.most * f64::from(n) / f64::from(self.steps))
            .collect()
    }
}

/// A logarithmic axis over whole decades.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decades {
    from: i32,
    to: i32,
}

impl Decades {
    /// The decades that hold all of `values`; non-positive ones are drawn at the left end.
    #[expect(clippy::cast_possible_truncation, reason = "decades of dollars or ms")]
    pub(crate) fn holding(values: impl Iterator<Item = f64>, least: i32) -> Self {
        let (mut from, mut to) = (i32::MAX, i32::MIN);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            let decade = value.log10();
            from = from.min(decade.floor() as i32);
            to = to.max(decade.ceil() as i32);
        }
        if from > to {
            return Self {
                from: least,
                to: least + 3,
            };
        }
        let from = from.max(least);
        Self {
            from,
            to: to.max(from + 2),
        }
    }

    /// The share of the axis at which `value` lies.
    pub(crate) fn share(self, value: f64) -> f64 {
        if value <= 0.0 {
            return 0.0;
        }
        ((value.log10() - f64::from(self.from)) / f64::from(self.to - self.from)).clamp(0.0, 1.0)
    }

    /// Whether `value` is less than the axis shows.
    pub(crate) fn is_below(self, value: f64) -> bool {
        value < 10_f64.powi(self.from)
    }

    /// The values with a label, from the left.
    pub(crate) fn ticks(self) -> Vec<f64> {
        (self.from..=self.to).map(|n| 10_f64.powi(n)).collect()
    }
}

/// A picture: a plot with its labels. Without a `label` it is hidden from screen readers: its marks are links, and a table
/// beside it has the same links. `across` and `down` are evenly spaced.
pub(crate) fn picture(
    label: Option<&str>,
    (down, unit): (&[String], &str),
    (across, title): (&[String], &str),
    plot: &Markup,
) -> Markup {
    html! {
        div.picture {
            div.unit aria-hidden="true" { (unit) }
            div.down aria-hidden="true" { @for tick in down { span { (tick) } } }
            svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role=[label.map(|_| "img")]
                aria-label=[label] aria-hidden=[label.is_none().then_some("true")] {
                (plot)
            }
            div.across aria-hidden="true" { @for tick in across { span { (tick) } } }
            div.title aria-hidden="true" { (title) }
        }
    }
}

/// The legend: classes of the keys with their words. A key stays on the line of its word.
pub(crate) fn legend(keys: &[(&str, &str)]) -> Markup {
    html! {
        p.legend { @for (key, words) in keys { span.entry { span class={ "key " (key) } {} (words) } " " } }
    }
}

/// Lines across the plot at each of `count` evenly spaced labels.
pub(crate) fn grid(count: usize) -> Markup {
    let mut path = String::new();
    for n in 0..count {
        #[expect(clippy::cast_precision_loss, reason = "a handful of lines")]
        let y = HEIGHT * n as f64 / count.saturating_sub(1).max(1) as f64;
        path.push_str(&format!("M0 {y:.1}H{WIDTH}"));
    }
    html! { path.grid d=(path) {} }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 480 needs 500 in five steps; 1024 needs 1200 in four.
    #[test]
    fn axes_end_at_round_numbers() {
        let axis = Linear::reaching(480.0);
        assert_eq!(axis.ticks(), [500.0, 400.0, 300.0, 200.0, 100.0, 0.0]);
        assert!((axis.y(250.0) - 150.0).abs() < 1e-9);
        assert_eq!(
            Linear::reaching(1024.0).ticks(),
            [1200.0, 900.0, 600.0, 300.0, 0.0]
        );
        assert_eq!(Linear::reaching(100.0).ticks().first(), Some(&100.0));
    }

    /// 0.05 to 300 dollars are the decades from 0.01 to 1000; 3.162 is the middle of them in logarithms.
    #[test]
    fn decades_hold_all_values() {
        let axis = Decades::holding([0.05, 300.0, 0.0].into_iter(), -2);
        assert_eq!(axis.ticks().len(), 6);
        assert!((axis.share(3.1623) - 0.5).abs() < 1e-4);
        assert!(axis.share(0.0) < 1e-9 && (axis.share(1e9) - 1.0).abs() < 1e-9);
        assert_eq!(Decades::holding([].into_iter(), -2).ticks().len(), 4);
    }
}
