//! What is selected and shown, and what can be done with it: questions to the app that change nothing.

use crate::domain::ids::CollectionName;
use crate::domain::instance::Protection;
use crate::domain::time;
use crate::jobs::row::{JobId, JobRow};
use crate::ops::journal::downloads::Interrupted;
use crate::ops::journal::past::Past;
use crate::ops::survey::listing::{CollectionView, RecoveryPointView};
use crate::tui::app::state::App;
use crate::tui::keys::action::Verb;
use crate::tui::layers::layer::Layer;
use crate::tui::panes::jobs::JobKey;
use crate::tui::panes::keys::point_keys;
use crate::tui::panes::list::Pane;
use crate::tui::panes::model::Loadable;

impl App {
    /// Collections that pass the filter.
    pub fn visible_collections(&self) -> Vec<&CollectionView> {
        let Some(list) = self.collections.get(self.model.current) else { return Vec::new() };
        let shown = |view: &&CollectionView| {
            let name = view.address.collection.to_string();
            let texts: Vec<&str> = std::iter::once(name.as_str()).chain(view.aliases.iter().map(String::as_str)).collect();
            list.passes(&texts)
        };
        self.model.collections().iter().filter(shown).collect()
    }

    /// The selected collection.
    pub fn collection(&self) -> Option<&CollectionView> {
        let visible = self.visible_collections();
        let keys: Vec<CollectionName> = visible.iter().map(|view| view.address.collection.clone()).collect();
        let at = self.collections.get(self.model.current)?.position(&keys)?;
        visible.get(at).copied()
    }

    /// Recovery points of the selected collection that pass the filter.
    pub fn visible_points(&self) -> Vec<&RecoveryPointView> {
        let Some(view) = self.collection() else { return Vec::new() };
        let listing = self.model.points(&view.address).and_then(Loadable::value);
        let all = listing.map_or(&[][..], |listing| &listing.items);
        let shown = |point: &&RecoveryPointView| {
            let taken = point.snapshot.taken_at.map(time::second).unwrap_or_default();
            self.points.passes(&[&point.snapshot.name.to_string(), &taken])
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
    pub fn disabled(&self, verb: Verb) -> Option<String> {
        let read_only = self.model.instance().is_some_and(|state| state.protection == Protection::ReadOnly);
        let no_collection = || self.collection().is_none().then(|| "no collection is selected".to_owned());
        let no_point = || self.no_point();
        let frozen = || read_only.then(|| "the instance is read-only".to_owned());
        match verb {
            Verb::Snapshot | Verb::Migrate => no_collection().or_else(frozen),
            Verb::Compare if self.marked_collections.len() > 2 => Some("mark two, or none".to_owned()),
            Verb::Compare => no_collection(),
            Verb::Inspect if self.marked.len() > 2 => Some("mark one, or two to compare them".to_owned()),
            Verb::Inspect => no_point(),
            Verb::Download | Verb::Restore => no_point().or_else(|| self.marks_mean_others()),
            Verb::Mark | Verb::Details if self.focus == Pane::Collections => no_collection(),
            Verb::Mark | Verb::Details => self.point().is_none().then(|| "no recovery point is selected".to_owned()),
            Verb::Guide => self.model.instances.is_empty().then(|| "no instance is configured".to_owned()),
            Verb::History => None,
            Verb::Next => {
                let report = self.current_job().and_then(|id| self.model.jobs.results.get(&id)?.as_ref().ok());
                report.is_none_or(|report| report.next.is_empty()).then(|| "there is nothing to choose".to_owned())
            }
            Verb::Report if matches!(self.layers.last(), Some(Layer::Text { of: Some(_), .. })) => None,
            Verb::Report => {
                let over = |id| self.model.jobs.row(id).is_some_and(JobRow::is_finished);
                let ended = |id| over(id) || self.model.jobs.results.contains_key(&id);
                (!self.current_job().is_some_and(ended)).then(|| "the job is not over".to_owned())
            }
            Verb::Tree | Verb::Through => match self.layers.last() {
                Some(Layer::Inspector(inspector)) if inspector.looked.len() > 1 => {
                    Some("two are compared; open one of them alone".to_owned())
                }
                _ => None,
            },
            Verb::Delete => self.marked_elsewhere().or_else(no_point).or_else(frozen),
            Verb::Upload => self.model.instances.is_empty().then(|| "no instance is configured".to_owned()),
            Verb::Cancel => {
                let over = self.current_job().and_then(|id| self.model.jobs.row(id)).is_none_or(|row| row.is_finished());
                over.then(|| "no running job is selected".to_owned())
            }
            Verb::Dismiss if self.layers.is_empty() && self.interrupted().is_some() => None,
            Verb::Dismiss if self.layers.is_empty() && self.job_key() == Some(JobKey::Folded) => None,
            Verb::DismissAll => {
                let any = self.model.jobs.rows.iter().any(JobRow::is_finished);
                (!any).then(|| "no job is finished".to_owned())
            }
            Verb::Slower | Verb::Faster => {
                let moving = self.current_job().is_some_and(|id| {
                    self.model.jobs.row(id).is_some_and(|row| !row.is_finished()) && !self.model.jobs.moves(id).is_empty()
                });
                (!moving).then(|| "no running transfer is selected".to_owned())
            }
            Verb::Dismiss => {
                let over = self.current_job().and_then(|id| self.model.jobs.row(id)).is_some_and(|row| row.is_finished());
                (!over).then(|| "no finished job is selected".to_owned())
            }
        }
    }

    /// Why no recovery point is meant.
    fn no_point(&self) -> Option<String> {
        if self.focus == Pane::Points {
            return self.point().is_none().then(|| "no recovery point is selected".to_owned());
        }
        match self.collection() {
            None => Some("no collection is selected".to_owned()),
            Some(view) if view.recovery_points == Some(0) && view.safety_snapshots > 0 => {
                Some("there are only safety snapshots: choose one in the recovery points (2)".to_owned())
            }
            Some(view) => (view.recovery_points == Some(0)).then(|| "the collection has no recovery point".to_owned()),
        }
    }

    /// Why marks stand in the way of what takes one recovery point: it would act on another one than those.
    fn marks_mean_others(&self) -> Option<String> {
        let selected = self.point().map(|point| (point.address.clone(), point.snapshot.name.clone()));
        let same = self.marked.len() == 1 && self.marked.first() == selected.as_ref();
        let several = format!("{} are marked, and this takes one: Esc unmarks them", self.marked.len());
        (self.focus == Pane::Points && !self.marked.is_empty() && !same).then_some(several)
    }

    /// Why marked recovery points cannot be deleted together.
    fn marked_elsewhere(&self) -> Option<String> {
        let (first, _) = self.marked.first()?;
        let shown = self.collection().map(|view| &view.address);
        match self.marked.iter().all(|(address, _)| address == first) {
            false => Some("the marked ones are of several collections: delete those of one at a time".to_owned()),
            true if shown != Some(first) => Some(format!("the marked ones are of {first}: Esc in their list unmarks them")),
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
