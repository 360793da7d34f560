//! What is selected and shown, and what can be done with it: questions to the app that change nothing.

use crate::domain::address::{CollectionAddress, SnapshotsOf};
use crate::domain::instance::Protection;
use crate::domain::time;
use crate::jobs::row::{JobId, JobRow};
use crate::ops::journal::downloads::Interrupted;
use crate::ops::journal::past::Past;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::survey::listing::{CollectionView, RecoveryPointView};
use crate::tui::app::state::App;
use crate::tui::keys::action::Command;
use crate::tui::layers::layer::Layer;
use crate::tui::panes::jobs::JobKey;
use crate::tui::panes::keys::point_keys;
use crate::tui::panes::list::{CollectionKey, Pane};
use crate::tui::panes::model::Loadable;

impl App {
    /// What the selected row among the collections stands for.
    pub fn subject(&self) -> Option<SnapshotsOf> {
        let instance = &self.model.instance()?.name;
        let rows = self.collection_rows();
        Some(match self.collections.get(self.model.current)?.current(&rows.keys)? {
            CollectionKey::Named(name) => CollectionAddress::new(instance.clone(), name.clone()).into(),
            CollectionKey::Storage => SnapshotsOf::Storage(instance.clone()),
        })
    }

    /// The selected collection.
    pub fn collection(&self) -> Option<&CollectionView> {
        let of = self.subject()?;
        self.model.collections().iter().find(|view| Some(&view.address) == of.collection())
    }

    /// Recovery points of the selected collection that pass the filter, in the order that is shown.
    pub fn visible_points(&self) -> Vec<&RecoveryPointView> {
        let mut points = self.listed_points();
        self.point_order.sort(&mut points);
        points
    }

    /// The same as they are listed: the newest first.
    pub(super) fn listed_points(&self) -> Vec<&RecoveryPointView> {
        let Some(of) = self.subject() else { return Vec::new() };
        let listing = self.model.points(&of).and_then(Loadable::value);
        let all = listing.map_or(&[][..], |listing| &listing.items);
        let shown = |point: &&RecoveryPointView| {
            let taken = point.snapshot.taken_at.map(time::second).unwrap_or_default();
            let note = point.stored.as_ref().and_then(|stored| stored.note.clone()).unwrap_or_default();
            self.points.passes(&[&point.snapshot.name.to_string(), &taken, &note])
        };
        all.iter().filter(shown).collect()
    }

    /// The selected recovery point.
    pub fn point(&self) -> Option<&RecoveryPointView> {
        let visible = self.visible_points();
        let keys = point_keys(&visible);
        visible.get(self.points.position(&keys)?).copied()
    }

    /// The selected row of the jobs.
    pub fn job_key(&self) -> Option<JobKey> {
        self.job_list.current(&self.model.jobs.keys()).cloned()
    }

    /// The selected job.
    pub fn job(&self) -> Option<JobId> {
        match self.job_key() {
            Some(JobKey::Job(id)) => Some(id),
            _ => None,
        }
    }

    /// The selected operation that somebody has to decide about.
    pub fn undecided(&self) -> Option<&Past> {
        let Some(JobKey::Open(id)) = self.job_key() else { return None };
        self.model.jobs.open.iter().find(|past| past.id == id)
    }

    /// The selected interrupted download.
    pub fn interrupted(&self) -> Option<&Interrupted> {
        let Some(JobKey::Interrupted(file)) = self.job_key() else { return None };
        self.model.jobs.interrupted.iter().find(|left| left.request.target == file)
    }

    /// Why an operation is not possible now.
    pub fn disabled(&self, verb: Command) -> Option<String> {
        if let Some(Layer::Fleet(_)) = self.layers.last() {
            return self.cure(verb).err();
        }
        let read_only = self.model.instance().is_some_and(|state| state.protection == Protection::ReadOnly);
        let no_collection = || self.collection().is_none().then(|| "no collection is selected".to_owned());
        let no_point = || self.no_point();
        let frozen = || read_only.then(|| "the instance is read-only".to_owned());
        match verb {
            Command::Snapshot if self.whole() => frozen(),
            Command::Snapshot | Command::Migrate => no_collection().or_else(frozen),
            Command::Compare if self.marked_collections.len() > 2 => Some("mark two, or none".to_owned()),
            Command::Compare => no_collection(),
            Command::Inspect if self.marked.len() > 2 => Some("mark one, or two to compare them".to_owned()),
            Command::Inspect => no_point(),
            Command::Download | Command::Restore => no_point().or_else(|| self.marks_mean_others()),
            Command::Mark | Command::MarkRange | Command::MarkInvert | Command::Details if self.focus == Pane::Collections => {
                no_collection()
            }
            Command::Mark | Command::MarkRange | Command::MarkInvert | Command::Details => {
                self.point().is_none().then(|| "no recovery point is selected".to_owned())
            }
            Command::Backup => no_collection().or_else(frozen),
            Command::Prune => no_collection(),
            Command::Verify | Command::Note | Command::Hold => self.no_backup(),
            Command::Fleet => None,
            Command::Guide => self.model.instances.is_empty().then(|| "no instance is configured".to_owned()),
            Command::History | Command::Requests => None,
            Command::Tree | Command::Through => self.two_are_compared(),
            Command::Delete => {
                let on_node = self.point().is_none_or(|point| point.stored.is_none());
                self.marked_elsewhere().or_else(no_point).or_else(|| frozen().filter(|_| on_node))
            }
            Command::Upload => self.model.instances.is_empty().then(|| "no instance is configured".to_owned()),
            Command::Next
            | Command::Report
            | Command::Cancel
            | Command::Dismiss
            | Command::DismissAll
            | Command::Slower
            | Command::Faster => self.disabled_job(verb),
        }
    }

    /// The same of what is done with a job.
    fn disabled_job(&self, verb: Command) -> Option<String> {
        match verb {
            Command::Next => {
                let report = self.current_job().and_then(|id| self.model.jobs.results.get(&id)?.as_ref().ok());
                report.is_none_or(|report| report.next.is_empty()).then(|| "there is nothing to choose".to_owned())
            }
            Command::Report if matches!(self.layers.last(), Some(Layer::Text { of: Some(_), .. })) => None,
            Command::Report => {
                let over = |id| self.model.jobs.row(id).is_some_and(JobRow::is_finished);
                let ended = |id| over(id) || self.model.jobs.results.contains_key(&id);
                (!self.current_job().is_some_and(ended)).then(|| "the job is not over".to_owned())
            }
            Command::Cancel => {
                let over = self.current_job().and_then(|id| self.model.jobs.row(id)).is_none_or(|row| row.is_finished());
                over.then(|| "no running job is selected".to_owned())
            }
            Command::Dismiss if self.layers.is_empty() && self.interrupted().is_some() => None,
            Command::Dismiss if self.layers.is_empty() && self.job_key() == Some(JobKey::Folded) => None,
            Command::DismissAll => {
                let any = self.model.jobs.rows.iter().any(JobRow::is_finished);
                (!any).then(|| "no job is finished".to_owned())
            }
            Command::Slower | Command::Faster => {
                let moving = self.current_job().is_some_and(|id| {
                    self.model.jobs.row(id).is_some_and(|row| !row.is_finished()) && !self.model.jobs.moves(id).is_empty()
                });
                (!moving).then(|| "no running transfer is selected".to_owned())
            }
            Command::Dismiss => {
                let over = self.current_job().and_then(|id| self.model.jobs.row(id)).is_some_and(|row| row.is_finished());
                (!over).then(|| "no finished job is selected".to_owned())
            }
            _ => None,
        }
    }

    /// Whether the whole instance is selected.
    pub(super) fn whole(&self) -> bool {
        matches!(self.subject(), Some(SnapshotsOf::Storage(_)))
    }

    /// Why no recovery point is meant.
    fn no_point(&self) -> Option<String> {
        if self.focus == Pane::Points {
            return self.point().is_none().then(|| "no recovery point is selected".to_owned());
        }
        match self.collection() {
            None if self.whole() => {
                self.visible_points().is_empty().then(|| "there is no snapshot of the whole instance; s takes one".to_owned())
            }
            None => Some("no collection is selected".to_owned()),
            Some(view) if view.recovery_points == Some(0) && view.safety_snapshots > 0 => {
                Some("there are only safety snapshots: choose one in the recovery points (2)".to_owned())
            }
            Some(view) if view.recovery_points == Some(0) && !self.visible_points().is_empty() => {
                Some("only backups: choose one in the recovery points (2)".to_owned())
            }
            Some(view) => (view.recovery_points == Some(0)).then(|| "the collection has no recovery point".to_owned()),
        }
    }

    fn two_are_compared(&self) -> Option<String> {
        let two = matches!(self.layers.last(), Some(Layer::Inspector(inspector)) if inspector.looked.len() > 1);
        two.then(|| "two are compared; open one of them alone".to_owned())
    }

    /// Why no backup is meant.
    fn no_backup(&self) -> Option<String> {
        let point = if self.focus == Pane::Points { self.point() } else { None };
        match point {
            None => Some("select a backup in the recovery points (2)".to_owned()),
            Some(point) if point.stored.is_none() => {
                Some("that is for backups in a repository; b makes one, i c reads a snapshot whole".to_owned())
            }
            Some(_) => None,
        }
    }

    /// Why marks stand in the way of what takes one recovery point: it would act on another one than those.
    fn marks_mean_others(&self) -> Option<String> {
        let selected = self.point().map(RecoveryPointView::point);
        let same = self.marked.len() == 1 && self.marked.first() == selected.as_ref();
        let several = format!("{} are marked, and this takes one: Esc unmarks them", self.marked.len());
        (self.focus == Pane::Points && !self.marked.is_empty() && !same).then_some(several)
    }

    /// Why marked recovery points cannot be deleted together.
    fn marked_elsewhere(&self) -> Option<String> {
        let first = self.marked.first()?.snapshots_of()?;
        let shown = self.subject();
        let of_nodes = self
            .marked
            .iter()
            .filter(|marked| matches!(marked, RecoveryPoint::Snapshot(..) | RecoveryPoint::Storage(..)))
            .count();
        if of_nodes > 0 && of_nodes < self.marked.len() {
            return Some("snapshots on nodes and backups are deleted separately: Esc unmarks them".to_owned());
        }
        match self.marked.iter().all(|marked| marked.snapshots_of().as_ref() == Some(&first)) {
            false => Some("the marked ones are of several collections: delete those of one at a time".to_owned()),
            true if shown.as_ref() != Some(&first) => {
                Some(format!("the marked ones are of {first}: Esc in their list unmarks them"))
            }
            true => None,
        }
    }

    pub(super) fn current_job(&self) -> Option<JobId> {
        match self.layers.last() {
            Some(Layer::Job { id, .. }) => Some(*id),
            _ => self.job(),
        }
    }
}
