//! Carries out effects and sends back what came of them. The only place of the UI that spawns.

use crate::domain::address::CollectionAddress;
use crate::jobs::row::JobId;
use crate::ops::journal::incident;
use crate::ops::plan::Plan;
use crate::ops::plan::consent::Consent;
use crate::ops::services::Services;
use crate::ops::survey::shard_map::shard_map;
use crate::ops::survey::watch::Reach;
use crate::ops::survey::{inspect, listing, remembered, watch};
use crate::ops::{engine, verbs};
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event, RequestRow, Ticket};
use jiff::SignedDuration;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Longest text that goes to the clipboard: terminals cap OSC 52 at a few kilobytes.
const CLIPBOARD_LIMIT: usize = 3_000;

/// Collections of an instance up to which the fleet looks up the snapshots on nodes of each.
const WATCHED: usize = 300;

/// Runs effects.
#[derive(Clone)]
pub struct Driver {
    services: Arc<Services>,
    events: mpsc::Sender<Event>,
}

impl Driver {
    /// Answers go to `events`.
    pub fn new(services: Arc<Services>, events: mpsc::Sender<Event>) -> Self {
        Self { services, events }
    }

    /// Starts an effect. Those that concern the terminal are the runtime's and never come here.
    pub fn run(&self, effect: Effect) {
        let services = self.services.clone();
        match effect {
            Effect::Instance(ticket, name) => self.answer(async move {
                let result = listing::instance(&services, &name).await;
                Event::Data(ticket, Data::Instance(name, Box::new(result)))
            }),
            Effect::Views(name, wanted) => self.answer(async move {
                let result = listing::views(&services, &name, wanted).await;
                Event::Data(Ticket(0), Data::Views(name, result))
            }),
            Effect::Collections(ticket, name, most) => self.answer(async move {
                let result = listing::collections_up_to(&services, &name, most).await;
                Event::Data(ticket, Data::Collections(name, result))
            }),
            Effect::Points(ticket, of) => self.answer(async move {
                let result = listing::points_of(&services, &of).await;
                Event::Data(ticket, Data::Points(of, result))
            }),
            Effect::Shards(ticket, address) => self.answer(shards(services, ticket, address)),
            Effect::Watch(ticket) => self.answer(async move {
                let watch = watch::watch(&services, None, Reach::UpTo(WATCHED)).await;
                Event::Data(ticket, Data::Watch(Box::new(watch)))
            }),
            Effect::Plan(ticket, request) => self.answer(async move {
                let result = verbs::plan(&services, *request).await;
                Event::Data(ticket, Data::Plan(Box::new(result)))
            }),
            Effect::Inspect(ticket, request, progress, stop) => self.answer(async move {
                let result = inspect::look(&services, &request, &progress, &stop).await;
                Event::Data(ticket, Data::Inspected(Box::new(result)))
            }),
            Effect::Start(ticket, plan, consent) => self.start(ticket, *plan, consent),
            Effect::Cancel(id) => self.services.jobs.cancel(id),
            Effect::Dismiss(id) => self.services.jobs.dismiss(id),
            Effect::Interrupted(_)
            | Effect::Remembered(_)
            | Effect::CheckState(_)
            | Effect::History(_)
            | Effect::Requests(_)
            | Effect::WriteReport(..) => self.look_here(effect),
            Effect::LimitRate(name, rate) => {
                if let Ok(throttle) = self.services.throttle(&name) {
                    throttle.set(rate);
                }
            }
            Effect::Copy(_) | Effect::Notify(_) | Effect::Suspend | Effect::Repaint | Effect::Quit => {}
        }
    }

    /// Reads what is on this machine: the journal, and what was sent to servers.
    fn look_here(&self, effect: Effect) {
        let services = self.services.clone();
        match effect {
            Effect::Interrupted(ticket) => self.answer(async move {
                let listed = tokio::task::spawn_blocking(move || (services.interrupted.list(), services.journal.open())).await;
                let (interrupted, open) = listed.unwrap_or_default();
                Event::Data(ticket, Data::Interrupted(interrupted, open))
            }),
            Effect::Remembered(ticket) => self.answer(async move {
                let listed = tokio::task::spawn_blocking(move || remembered::collections(&services)).await;
                Event::Data(ticket, Data::Remembered(listed.unwrap_or_default()))
            }),
            Effect::CheckState(ticket) => self.answer(async move {
                let checked = tokio::task::spawn_blocking(move || services.journal.check().err()).await;
                Event::Data(ticket, Data::State(checked.ok().flatten().map(|problem| problem.to_string())))
            }),
            Effect::History(ticket) => self.answer(async move {
                let listed = tokio::task::spawn_blocking(move || services.journal.read()).await;
                Event::Data(ticket, Data::History(listed.unwrap_or_default()))
            }),
            Effect::Requests(ticket) => self.answer(async move {
                let now = services.clock.now();
                let at = |sent: Instant| now - SignedDuration::try_from(sent.elapsed()).unwrap_or_default();
                let rows = services.requests().into_iter().rev().map(|exchange| RequestRow { at: at(exchange.at), exchange });
                Event::Data(ticket, Data::Requests(rows.collect()))
            }),
            Effect::WriteReport(ticket, id) => self.answer(async move {
                let written = tokio::task::spawn_blocking(move || incident::write(&services.journal, &id, Path::new("."))).await;
                let result = written.map_err(|error| error.to_string()).and_then(|written| written.map_err(|p| p.to_string()));
                Event::Data(ticket, Data::Wrote(result))
            }),
            _ => {}
        }
    }

    fn start(&self, ticket: Ticket, plan: Plan, consent: Consent) {
        let (services, events) = (self.services.clone(), self.events.clone());
        self.answer(async move {
            let started = plan.approve(&consent).map(|approved| engine::start(&services, approved));
            let result = started.map(|handle| {
                let id = handle.id;
                report_when_done(id, handle, events);
                id
            });
            Event::Data(ticket, Data::Started(Box::new(result)))
        });
    }

    #[expect(clippy::disallowed_methods, reason = "effects run beside the UI")]
    fn answer(&self, work: impl Future<Output = Event> + Send + 'static) {
        let events = self.events.clone();
        tokio::spawn(async move {
            let event = work.await;
            let _ = events.send(event).await;
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "effects run beside the UI")]
fn report_when_done(id: JobId, handle: crate::jobs::manager::JobHandle<crate::ops::report::Report>, events: mpsc::Sender<Event>) {
    tokio::spawn(async move {
        let result = handle.wait().await;
        let _ = events.send(Event::Finished(id, Box::new(result))).await;
    });
}

/// The escape sequence that puts a text on the terminal's clipboard, or why not.
pub fn clipboard_sequence(text: &str) -> Result<Vec<u8>, String> {
    if text.len() > CLIPBOARD_LIMIT {
        return Err(format!("too long for the terminal's clipboard ({} characters); use the headless command", text.len()));
    }
    let mut bytes = Vec::new();
    crossterm::execute!(bytes, crossterm::clipboard::CopyToClipboard::to_clipboard_from(text))
        .map(|()| bytes)
        .map_err(|error| format!("cannot copy: {error}"))
}

async fn shards(services: Arc<Services>, ticket: Ticket, address: CollectionAddress) -> Event {
    let map = shard_map(&services, &address).await;
    Event::Data(ticket, Data::Shards(address, map))
}
