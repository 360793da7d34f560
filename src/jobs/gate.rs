//! Whether a cancel or the work was first. One gate decides, so that a cancel never tears a section apart. Pure.

/// The gate of one job.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Sections that must not be interrupted.
    committing: u32,
    /// The job passed the point of no return: it runs to its end.
    sealed: bool,
    /// It is sealed because it cancels its parts itself, and waits for them.
    conducts: bool,
    /// A cancel took hold: nothing may be committed any more.
    closed: bool,
}

impl Gate {
    /// Begins a section that must not be interrupted; `false` when a cancel was first.
    pub(super) fn enter(&mut self) -> bool {
        self.committing += u32::from(!self.closed);
        !self.closed
    }

    /// Ends such a section.
    pub(super) fn leave(&mut self) {
        self.committing = self.committing.saturating_sub(1);
    }

    /// From here on the job runs to its end; `false` when a cancel was first.
    pub(super) fn seal(&mut self) -> bool {
        self.sealed |= !self.closed;
        self.sealed
    }

    /// Takes a seal back.
    pub(super) fn unseal(&mut self) {
        self.sealed = false;
    }

    /// Seals a job that cancels its parts itself; `false` when a cancel was first.
    pub(super) fn conduct(&mut self) -> bool {
        self.conducts = self.seal();
        self.conducts
    }

    /// A cancel takes hold, if nothing stands against it.
    pub(super) fn close(&mut self) -> bool {
        self.closed |= !self.waits();
        self.closed
    }

    /// Whether a cancel would have to wait.
    pub(super) fn waits(&self) -> bool {
        self.sealed || self.committing > 0
    }

    /// Whether it cancels its parts itself.
    pub(super) fn conducts(&self) -> bool {
        self.conducts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done in order, and whether a cancel then takes hold.
    #[test]
    fn a_cancel_takes_hold_only_where_nothing_stands_against_it() {
        type Act = fn(&mut Gate);
        let (enter, leave, seal, unseal): (Act, Act, Act, Act) =
            (|gate| _ = gate.enter(), Gate::leave, |gate| _ = gate.seal(), Gate::unseal);
        let conduct: Act = |gate| _ = gate.conduct();
        let table: [(&[Act], bool); 8] = [
            (&[], true),
            (&[enter], false),
            (&[enter, leave], true),
            (&[enter, enter, leave], false),
            (&[seal], false),
            (&[seal, unseal], true),
            (&[enter, seal, leave], false),
            (&[conduct], false),
        ];
        for (index, (acts, closes)) in table.into_iter().enumerate() {
            let mut gate = Gate::default();
            acts.iter().for_each(|act| act(&mut gate));
            assert_eq!((gate.waits(), gate.close()), (!closes, closes), "line {index}");
        }
    }

    #[test]
    fn after_a_cancel_nothing_is_committed_or_sealed() {
        let mut gate = Gate::default();
        assert!(gate.close());
        assert!(!gate.enter() && !gate.seal() && !gate.conduct());
        assert!(gate.close() && !gate.waits() && !gate.conducts());
    }
}
