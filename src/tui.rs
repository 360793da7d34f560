//! L4: the interactive front end.
pub mod caps;
use crate::domain::problem::Problem;
use crate::jobs::manager::JobEvent;
use crate::ops::services::Services;
use std::sync::Arc;
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Banner { /// x
 None, /// x
 Demo }
/// x
#[derive(Debug)]
pub enum Ended { /// x
 Quit, /// x
 Signal(u8) }
/// x
pub async fn run(_s: Arc<Services>, _e: tokio::sync::mpsc::Receiver<JobEvent>, _l: caps::Look, _b: Banner) -> Result<Ended, Problem> { Ok(Ended::Quit) }
