//! Sets of byte ranges: what of a file is on disk, and what still has to be fetched. Pure.

/// A set of bytes, kept as sorted ranges `from..to` that neither touch nor overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// All bytes of `from..to`.
    pub fn of(from: u64, to: u64) -> Self {
        let mut spans = Self::default();
        spans.insert(from, to);
        spans
    }

    /// Reads pairs from an untrusted file: `None` unless they are sorted, apart, and end by `size`.
    pub fn checked(pairs: &[(u64, u64)], size: u64) -> Option<Self> {
        let sane = pairs.iter().all(|(from, to)| from < to && *to <= size);
        let apart = pairs.windows(2).all(|pair| pair[0].1 < pair[1].0);
        (sane && apart).then(|| Self(pairs.to_vec()))
    }

    /// The ranges, sorted.
    pub fn pairs(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Number of bytes.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds `from..to`.
    pub fn insert(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let first = self.0.partition_point(|span| span.1 < from);
        let last = self.0.partition_point(|span| span.0 <= to);
        let merged = match self.0.get(first..last) {
            Some([head, ..]) => (head.0.min(from), self.0[last - 1].1.max(to)),
            _ => (from, to),
        };
        self.0.splice(first..last, [merged]);
    }

    /// Where the run of bytes that begins at `from` ends; `from` itself when that byte is missing.
    pub fn run_end(&self, from: u64) -> u64 {
        let at = self.0.partition_point(|span| span.1 <= from);
        self.0.get(at).filter(|span| span.0 <= from).map_or(from, |span| span.1)
    }

    /// What is missing from a file of `size` bytes.
    pub fn missing(&self, size: u64) -> Self {
        let mut missing = Self::default();
        let mut at = 0;
        for (from, to) in &self.0 {
            missing.insert(at, (*from).min(size));
            at = *to;
        }
        missing.insert(at, size);
        missing
    }

    /// Takes at most `most` bytes from the front.
    pub fn take_front(&mut self, most: u64) -> Option<(u64, u64)> {
        let (from, _) = *self.0.first()?;
        self.take_at(from, most)
    }

    /// Takes at most `most` bytes that begin exactly at `from`, if a range begins there.
    pub fn take_at(&mut self, from: u64, most: u64) -> Option<(u64, u64)> {
        let at = self.0.binary_search_by_key(&from, |span| span.0).ok()?;
        let (from, to) = self.0[at];
        let end = from.saturating_add(most.max(1)).min(to);
        if end == to {
            self.0.remove(at);
        } else {
            self.0[at].0 = end;
        }
        Some((from, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as a set of single bytes.
    fn bytes(spans: &Spans) -> Vec<u64> {
        spans.pairs().iter().flat_map(|(from, to)| *from..*to).collect()
    }

    /// A small generator: the same numbers every time.
    fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
        let mut state = seed;
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        }
    }

    #[test]
    fn inserting_agrees_with_a_set_of_bytes() {
        for seed in 0..300 {
            let mut next = numbers(seed);
            let mut spans = Spans::default();
            let mut set = std::collections::BTreeSet::new();
            for _ in 0..20 {
                let from = next(60);
                let to = from + next(12);
                spans.insert(from, to);
                set.extend(from..to);
                assert_eq!(bytes(&spans), set.iter().copied().collect::<Vec<_>>(), "seed {seed}");
                assert!(Spans::checked(spans.pairs(), 80).is_some(), "seed {seed}: {spans:?}");
            }
            let missing: Vec<u64> = (0..64).filter(|byte| !set.contains(byte)).collect();
            assert_eq!(bytes(&spans.missing(64)), missing, "seed {seed}");
            for from in 0..64 {
                let end = (from..80).find(|byte| !set.contains(byte)).unwrap();
                assert_eq!(spans.run_end(from), end, "seed {seed} from {from}");
            }
        }
    }

    #[test]
    fn everything_is_taken_once() {
        for seed in 0..200 {
            let mut next = numbers(seed);
            let mut left = Spans::of(0, 500);
            let mut taken = Spans::default();
            while !left.is_empty() {
                let got = match next(3) {
                    0 => left.take_front(1 + next(40)),
                    1 => left.take_at(taken.run_end(0), 1 + next(40)),
                    _ => {
                        let some = left.take_front(20).unwrap();
                        // A range that failed half-way is given back.
                        left.insert(some.0 + (some.1 - some.0) / 2, some.1);
                        Some((some.0, some.0 + (some.1 - some.0) / 2))
                    }
                };
                if let Some((from, to)) = got {
                    assert_eq!(taken.missing(500).total() - (to - from), {
                        taken.insert(from, to);
                        taken.missing(500).total()
                    });
                }
            }
            assert_eq!(taken, Spans::of(0, 500), "seed {seed}");
        }
    }

    #[test]
    fn what_a_file_claims_is_checked() {
        for bad in [&[(5, 5)][..], &[(5, 4)], &[(0, 11)], &[(0, 5), (5, 7)], &[(4, 6), (0, 2)], &[(0, u64::MAX)]] {
            assert_eq!(Spans::checked(bad, 10), None, "{bad:?}");
        }
        assert_eq!(Spans::checked(&[(0, 4), (5, 10)], 10).unwrap().total(), 9);
        assert_eq!(Spans::checked(&[], 0), Some(Spans::default()));
    }
}
