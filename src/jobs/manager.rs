//! Spawning, queueing, canceling and watching jobs.
//!
//! Cancel has two phases: the work is dropped at its next await, then the cleanups that it had
//! registered run, newest first, each with a deadline. A section that must not be torn apart
//! ([`JobContext::commit`]) delays the first phase. A panic in a job fails that job only.

use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::context::JobContext;
use crate::jobs::limits::{Limits, Resource};
use crate::jobs::progress::{self, Progress};
use crate::jobs::row::{JobEvent, JobId, JobOutput, JobRow, JobState, OnCancel, Outcome};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Finished rows that are kept.
const KEPT_ROWS: usize = 200;

struct Entry {
    title: String,
    state: JobState,
    progress: Progress,
    context: JobContext,
    cancel: CancellationToken,
    skip_cleanup: CancellationToken,
    started: Instant,
    ended: Option<Instant>,
}

struct Inner {
    table: Mutex<BTreeMap<JobId, Entry>>,
    limits: Limits,
    tracker: TaskTracker,
    next: AtomicU64,
    events: mpsc::Sender<JobEvent>,
}

/// All jobs of the process.
#[derive(Clone)]
pub struct JobManager(Arc<Inner>);

/// Waits for one job's result.
pub struct JobHandle<T> {
    /// Which job.
    pub id: JobId,
    result: oneshot::Receiver<Result<T, Problem>>,
}

impl<T> JobHandle<T> {
    /// The result; a canceled job is a problem of kind `Canceled`.
    pub async fn wait(self) -> Result<T, Problem> {
        self.result.await.unwrap_or_else(|_| Err(Problem::new(ProblemKind::Failed, "the job ended without a result", "")))
    }
}

impl JobManager {
    /// A manager and the receiving end of its events. The channel is bounded: a reader that stops
    /// reading stops the jobs, which is better than a state that is never shown.
    pub fn new() -> (Self, mpsc::Receiver<JobEvent>) {
        let (events, receiver) = mpsc::channel(1024);
        let inner = Inner {
            table: Mutex::default(),
            limits: Limits::default(),
            tracker: TaskTracker::new(),
            next: AtomicU64::new(1),
            events,
        };
        (Self(Arc::new(inner)), receiver)
    }

    /// Queues work. It starts when all `needs` are free.
    pub fn spawn<T, W, F>(&self, title: String, mut needs: Vec<Resource>, work: W) -> JobHandle<T>
    where
        T: JobOutput,
        W: FnOnce(JobContext) -> F + Send + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let id = JobId(self.0.next.fetch_add(1, Ordering::Relaxed));
        let cancel = CancellationToken::new();
        let context = JobContext::new(id, cancel.clone());
        let skip_cleanup = CancellationToken::new();
        let entry = Entry {
            title,
            state: JobState::Queued(String::new()),
            progress: context.progress.clone(),
            context: context.clone(),
            cancel: cancel.clone(),
            skip_cleanup: skip_cleanup.clone(),
            started: progress::now(),
            ended: None,
        };
        self.table().insert(id, entry);
        // One order for everybody: two jobs can never wait for each other.
        needs.sort();
        needs.dedup();
        let (sender, result) = oneshot::channel();
        let manager = self.clone();
        // Who is spawned first is served first, whichever task runs first: its place in the queue is taken here.
        let mut queue = self.clone().queue(id, needs).boxed();
        let queue = match queue.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(held) => std::future::ready(held).boxed(),
            Poll::Pending => queue,
        };
        self.0.tracker.spawn(async move {
            let (outcome, value) = manager.drive(id, context, queue, (cancel, skip_cleanup), work).await;
            let _ = sender.send(value);
            manager.finish(id, outcome).await;
        });
        JobHandle { id, result }
    }

    /// Takes what a job needs, one after the other; its row says what it waits for.
    async fn queue(self, id: JobId, needs: Vec<Resource>) -> Vec<OwnedSemaphorePermit> {
        let mut held = Vec::new();
        for need in needs {
            let permit = match self.0.limits.try_take(&need) {
                Some(permit) => Some(permit),
                None => {
                    if let Some(entry) = self.table().get_mut(&id) {
                        entry.state = JobState::Queued(need.waits_for());
                    }
                    self.0.limits.take(&need).await
                }
            };
            held.extend(permit);
        }
        held
    }

    #[expect(clippy::disallowed_methods, reason = "jobs are spawned here and nowhere else")]
    async fn drive<T, W, F>(
        &self,
        id: JobId,
        context: JobContext,
        mut queue: BoxFuture<'static, Vec<OwnedSemaphorePermit>>,
        (cancel, skip_cleanup): (CancellationToken, CancellationToken),
        work: W,
    ) -> (Outcome, Result<T, Problem>)
    where
        T: JobOutput,
        W: FnOnce(JobContext) -> F + Send + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let canceled = || Problem::new(ProblemKind::Canceled, "canceled", "");
        let _ = self.0.events.send(JobEvent::Changed(id)).await;
        let _held = tokio::select! {
            biased;
            () = cancel.cancelled() => return (Outcome::Canceled { cleaned: true, kept: None }, Err(canceled())),
            held = &mut queue => held,
        };
        self.enter(id, JobState::Running).await;
        let mut task = tokio::spawn(work(context.clone()));
        let ended = tokio::select! {
            ended = &mut task => Some(ended),
            () = async { cancel.cancelled().await; self.note_cancel(&context); context.closed().await } => None,
        };
        let result = match ended {
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(Problem::new(ProblemKind::Failed, format!("the job crashed: {panic}"), "")
                .advise("this is a defect of qsnap; please report it with what you did")),
            None => {
                task.abort();
                self.enter(id, JobState::Canceling).await;
                // A result that came first counts: what is done is done.
                match task.await {
                    Ok(result) => result,
                    Err(_) => Err(canceled()),
                }
            }
        };
        match result {
            Ok(value) => {
                let (headline, good) = value.headline();
                (Outcome::Succeeded { headline, good }, Ok(value))
            }
            Err(mut problem) => {
                let left = context.clean_up(&skip_cleanup).await;
                context.release();
                if !left.is_empty() {
                    problem.message = format!("{}; left behind: {}", problem.message, left.join(", "));
                }
                let outcome = match problem.kind {
                    ProblemKind::Canceled => {
                        let kept = context.kept();
                        if let Some(kept) = &kept {
                            problem.message = format!("{}; {kept}", problem.message);
                        }
                        Outcome::Canceled { cleaned: left.is_empty(), kept }
                    }
                    _ => Outcome::Failed(problem.clone()),
                };
                (outcome, Err(problem))
            }
        }
    }

    /// Says that a cancel was heard while it has to wait.
    fn note_cancel(&self, context: &JobContext) {
        if !context.close() && !context.gate().conducts() {
            context.progress.note("cancel was heard; too late to stop what the server does, waiting for the result");
        }
    }

    async fn enter(&self, id: JobId, state: JobState) {
        if let Some(entry) = self.table().get_mut(&id) {
            entry.state = state;
        }
        let _ = self.0.events.send(JobEvent::Changed(id)).await;
    }

    async fn finish(&self, id: JobId, outcome: Outcome) {
        {
            let mut table = self.table();
            if let Some(entry) = table.get_mut(&id) {
                entry.state = JobState::Finished(outcome);
                entry.ended = Some(progress::now());
            }
            let finished: Vec<JobId> = table.iter().filter(|(_, entry)| entry.ended.is_some()).map(|(id, _)| *id).collect();
            for old in finished.iter().take(finished.len().saturating_sub(KEPT_ROWS)) {
                table.remove(old);
            }
        }
        let _ = self.0.events.send(JobEvent::Finished(id)).await;
    }

    /// Cancels; a second cancel of the same job skips its cleanup.
    pub fn cancel(&self, id: JobId) {
        if let Some(entry) = self.table().get(&id) {
            if entry.state == JobState::Canceling {
                entry.skip_cleanup.cancel();
            }
            entry.cancel.cancel();
        }
    }

    /// Cancels, and never skips a cleanup that runs already.
    pub fn cancel_gently(&self, id: JobId) {
        if let Some(entry) = self.table().get(&id) {
            entry.cancel.cancel();
        }
    }

    /// Cancels all that run and waits until their cleanups are over, at most `deadline`.
    pub async fn shut_down(&self, deadline: Duration) {
        let running: Vec<JobId> = self.rows().iter().filter(|row| !row.is_finished()).map(|row| row.id).collect();
        running.into_iter().for_each(|id| self.cancel_gently(id));
        self.0.tracker.close();
        let _ = tokio::time::timeout(deadline, self.0.tracker.wait()).await;
    }

    /// Jobs that are not over.
    pub fn active(&self) -> usize {
        self.table().values().filter(|entry| entry.ended.is_none()).count()
    }

    /// Forgets a finished job's row.
    pub fn dismiss(&self, id: JobId) {
        let mut table = self.table();
        if table.get(&id).is_some_and(|entry| entry.ended.is_some()) {
            table.remove(&id);
        }
    }

    /// All jobs, oldest first.
    pub fn rows(&self) -> Vec<JobRow> {
        let table = self.table();
        let row = |(id, entry): (&JobId, &Entry)| JobRow {
            id: *id,
            title: entry.title.clone(),
            state: entry.state.clone(),
            sample: entry.progress.sample(),
            elapsed: entry.ended.unwrap_or_else(progress::now).saturating_duration_since(entry.started),
            record: entry.context.record.get().cloned(),
            on_cancel: if entry.ended.is_some() { OnCancel::default() } else { entry.context.on_cancel() },
        };
        table.iter().map(row).collect()
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Done(&'static str);

    impl JobOutput for Done {
        fn headline(&self) -> (String, bool) {
            (self.0.into(), true)
        }
    }

    fn drain(mut events: mpsc::Receiver<JobEvent>) {
        #[expect(clippy::disallowed_methods, reason = "a test")]
        tokio::spawn(async move { while events.recv().await.is_some() {} });
    }

    fn problem() -> Problem {
        Problem::new(ProblemKind::Failed, "no", "x")
    }

    #[tokio::test]
    async fn cancel_drops_the_work_and_runs_cleanups_in_reverse() {
        let (jobs, events) = JobManager::new();
        drain(events);
        let order = Arc::new(Mutex::new(Vec::new()));
        let (ready, is_ready) = oneshot::channel();
        let handle = jobs.spawn("t".into(), vec![], {
            let order = order.clone();
            move |context| async move {
                for n in [1, 2] {
                    let order = order.clone();
                    context.on_failure(format!("thing {n}"), async move {
                        order.lock().unwrap().push(n);
                        if n == 1 { Err(problem()) } else { Ok(()) }
                    });
                }
                ready.send(()).unwrap();
                std::future::pending::<Result<Done, Problem>>().await
            }
        });
        is_ready.await.unwrap();
        jobs.cancel(handle.id);
        let error = handle.wait().await.err().unwrap();
        assert_eq!(error.kind, ProblemKind::Canceled);
        assert!(error.message.contains("left behind: thing 1"), "{error}");
        assert_eq!(*order.lock().unwrap(), [2, 1]);
    }

    #[tokio::test]
    async fn a_row_tells_what_a_cancel_would_do_and_a_canceled_job_what_it_kept() {
        let (jobs, events) = JobManager::new();
        drain(events);
        let (ready, is_ready) = oneshot::channel();
        let handle = jobs.spawn("t".into(), vec![], |context| async move {
            context.on_failure("the scratch collection".into(), async { Ok(()) });
            context.resumable(Some("nothing was overwritten; kept: the snapshot".into()));
            ready.send(()).unwrap();
            std::future::pending::<Result<Done, Problem>>().await
        });
        is_ready.await.unwrap();
        let keeps = Some("nothing was overwritten; kept: the snapshot".to_owned());
        let removes = vec!["the scratch collection".to_owned()];
        assert_eq!(jobs.rows()[0].on_cancel, OnCancel { waits: false, conducts: false, removes, keeps: keeps.clone() });
        jobs.cancel(handle.id);
        let message = handle.wait().await.err().unwrap().message;
        assert_eq!(message, "canceled; nothing was overwritten; kept: the snapshot");
        assert!(matches!(&jobs.rows()[0].state, JobState::Finished(Outcome::Canceled { kept, .. }) if *kept == keeps));
    }

    #[tokio::test]
    async fn a_commit_is_never_torn_apart() {
        let (jobs, events) = JobManager::new();
        drain(events);
        let (ready, is_ready) = oneshot::channel();
        let (go, may_go) = oneshot::channel::<()>();
        let handle = jobs.spawn("t".into(), vec![], move |context| async move {
            let committed = context.commit(async {
                ready.send(()).unwrap();
                may_go.await.unwrap();
                "renamed"
            });
            Ok(Done(committed.await))
        });
        is_ready.await.unwrap();
        jobs.cancel(handle.id);
        tokio::task::yield_now().await;
        go.send(()).unwrap();
        // The section ended before the cancel could take hold; either way it was not interrupted.
        if let Err(error) = handle.wait().await {
            assert_eq!(error.kind, ProblemKind::Canceled);
        }
    }

    #[tokio::test]
    async fn a_panic_is_the_jobs_own_failure() {
        let (jobs, events) = JobManager::new();
        drain(events);
        let handle = jobs.spawn::<Done, _, _>("t".into(), vec![], |_| async { panic!("boom") });
        assert!(handle.wait().await.err().unwrap().message.contains("crashed"));
        let fine = jobs.spawn("t".into(), vec![], |_| async { Ok(Done("fine")) });
        assert_eq!(fine.wait().await.unwrap().0, "fine");
    }

    #[tokio::test]
    async fn exclusive_jobs_queue_and_say_why() {
        let (jobs, mut events) = JobManager::new();
        let needs = vec![Resource::Exclusive("prod/x".into())];
        let (go, may_go) = oneshot::channel::<()>();
        let first = jobs.spawn("1".into(), needs.clone(), |_| async {
            may_go.await.unwrap();
            Ok(Done("1"))
        });
        while events.recv().await != Some(JobEvent::Changed(first.id)) {}
        let second = jobs.spawn("2".into(), needs, |_| async { Ok(Done("2")) });
        while events.recv().await != Some(JobEvent::Changed(second.id)) {}
        let state = jobs.rows()[1].state.clone();
        assert_eq!(state, JobState::Queued("waits for another job on prod/x".into()));
        drain(events);
        go.send(()).unwrap();
        assert!(first.wait().await.is_ok() && second.wait().await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn jobs_are_served_in_the_order_in_which_they_are_spawned() {
        let (jobs, events) = JobManager::new();
        drain(events);
        let order = Arc::new(Mutex::new(Vec::new()));
        let needs = vec![Resource::Slot { pool: "prod".into(), size: 1 }];
        let handles: Vec<_> = (0..200)
            .map(|n| {
                let order = order.clone();
                jobs.spawn(String::new(), needs.clone(), move |_| async move {
                    order.lock().unwrap().push(n);
                    Ok(Done(""))
                })
            })
            .collect();
        for handle in handles {
            handle.wait().await.unwrap();
        }
        assert!(order.lock().unwrap().is_sorted(), "{order:?}");
    }

    #[tokio::test]
    async fn a_job_that_conducts_others_cancels_them_itself() {
        let (jobs, events) = JobManager::new();
        drain(events);
        let part = jobs.spawn("part".into(), vec![], |_| std::future::pending::<Result<Done, Problem>>());
        let (inner, id) = (jobs.clone(), part.id);
        let (begun, has_begun) = oneshot::channel::<()>();
        let whole = jobs.spawn("whole".into(), vec![], move |job| async move {
            assert!(job.conduct());
            begun.send(()).unwrap();
            job.canceled().await;
            inner.cancel(id);
            assert_eq!(part.wait().await.err().unwrap().kind, ProblemKind::Canceled);
            Err::<Done, _>(Problem::new(ProblemKind::Canceled, "canceled: 1 of 1", "x"))
        });
        has_begun.await.unwrap();
        jobs.cancel(whole.id);
        assert_eq!(whole.wait().await.err().unwrap().message, "canceled: 1 of 1");
        assert!(jobs.rows().iter().all(|row| !row.sample.note.contains("too late")));
    }

    /// Leaving cancels the whole and its parts at once: the second cancel that a part gets must not skip its cleanup.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_canceled_twice_over_is_cleaned_up_all_the_same() {
        for _ in 0..20 {
            let (jobs, events) = JobManager::new();
            drain(events);
            let cleaned = Arc::new(AtomicU64::new(0));
            let count = cleaned.clone();
            let (begun, has_begun) = oneshot::channel::<()>();
            let part = jobs.spawn("part".into(), vec![], |job| async move {
                job.on_failure("it".into(), async move {
                    tokio::task::yield_now().await;
                    count.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                });
                begun.send(()).unwrap();
                std::future::pending::<Result<Done, Problem>>().await
            });
            has_begun.await.unwrap();
            let (inner, id) = (jobs.clone(), part.id);
            let (begun, has_begun) = oneshot::channel::<()>();
            let _whole = jobs.spawn("whole".into(), vec![], move |job| async move {
                job.conduct();
                begun.send(()).unwrap();
                job.canceled().await;
                inner.cancel_gently(id);
                part.wait().await
            });
            has_begun.await.unwrap();
            jobs.shut_down(Duration::from_secs(10)).await;
            assert_eq!(cleaned.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test]
    async fn shut_down_cancels_and_waits() {
        let (jobs, events) = JobManager::new();
        drain(events);
        let handle = jobs.spawn("t".into(), vec![], |_| std::future::pending::<Result<Done, Problem>>());
        jobs.shut_down(Duration::from_secs(5)).await;
        assert_eq!(handle.wait().await.err().unwrap().kind, ProblemKind::Canceled);
        assert_eq!(jobs.active(), 0);
    }
}
