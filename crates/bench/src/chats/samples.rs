//! What was seen of the aggregator over time, and whether it keeps growing.

/// More than this share on top of what it was is growth …
const SHARE: f64 = 0.10;
/// … when it is more than so many MiB, too. An allocator is never quite still.
const MIB: f64 = 4.0;
/// And so many descriptors: idle connections come and go.
const DESCRIPTORS: f64 = 16.0;

/// Memory in MiB and open descriptors, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Samples {
    memory: Vec<f64>,
    descriptors: Vec<f64>,
}

impl Samples {
    pub(super) fn add(&mut self, mib: f64, descriptors: usize) {
        self.memory.push(mib);
        self.descriptors.push(descriptors as f64);
    }

    pub(super) fn describe(&self) -> String {
        let most = self.memory.iter().copied().fold(0.0, f64::max);
        let line = |all: &[f64]| {
            let (before, after) = (median(fifth(all, 1)), median(fifth(all, 4)));
            format!("{before:.1} in the second fifth of the time, {after:.1} in the last")
        };
        format!(
            "memory in MiB: {}, {most:.1} at most\ndescriptors: {}",
            line(&self.memory),
            line(&self.descriptors)
        )
    }

    /// What grew. The first fifth is for warming up; the last must not be beyond the second.
    pub(super) fn faults(&self) -> Vec<String> {
        let fault = |what: &str, all: &[f64], slack: f64| {
            let (before, after) = (median(fifth(all, 1)), median(fifth(all, 4)));
            let limit = before * (1.0 + SHARE) + slack;
            (all.len() < 5 || after > limit).then(|| {
                format!(
                    "{what}: {after:.1} at the end, {before:.1} after the start, at most {limit:.1} allowed"
                )
            })
        };
        let memory = fault("memory in MiB", &self.memory, MIB);
        memory.into_iter().chain(fault("descriptors", &self.descriptors, DESCRIPTORS)).collect()
    }
}

fn fifth(all: &[f64], number: usize) -> &[f64] {
    all.get(all.len() * number / 5..all.len() * (number + 1) / 5).unwrap_or_default()
}

fn median(some: &[f64]) -> f64 {
    let mut sorted = some.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(memory: impl Iterator<Item = f64>) -> Vec<String> {
        let mut samples = Samples::default();
        memory.for_each(|mib| samples.add(mib, 40));
        samples.faults()
    }

    #[test]
    fn what_rises_once_and_stays_is_no_growth() {
        assert_eq!(
            faults((0..100).map(|n| if n < 20 { f64::from(n) } else { 60.0 + f64::from(n % 7) })),
            [""; 0]
        );
    }

    #[test]
    fn what_keeps_rising_is() {
        assert_eq!(faults((0..100).map(|n| 40.0 + f64::from(n) / 5.0)).len(), 1);
    }

    #[test]
    fn a_peak_at_the_end_is_none_but_a_level_is() {
        assert_eq!(faults((0..100).map(|n| if n > 95 { 500.0 } else { 50.0 })), [""; 0]);
        assert_eq!(faults((0..100).map(|n| if n > 85 { 70.0 } else { 50.0 })).len(), 1);
    }

    #[test]
    fn nothing_seen_is_no_proof() {
        assert_eq!(faults(std::iter::empty()).len(), 2);
    }
}
