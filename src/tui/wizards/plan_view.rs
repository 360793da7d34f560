//! A plan: what changes, what can be lost, what blocks and what needs a look come first; then the steps, the command, and how
//! many checks passed. All of that should be seen without scrolling, so what explains more folds as far as it must.

use crate::domain::text::shorten_end;
use crate::ops::plan::consent::Need;
use crate::ops::plan::finding::{Finding, Level, checks_passed};
use crate::ops::plan::{Plan, Risk};
use crate::tui::app::state::App;
use crate::tui::layers::dialogs_view::button;
use crate::tui::look::text::{Row, frame_box, page_columns, put, scrolled, wrap};
use crate::tui::look::theme::Role;
use crate::tui::look::words::advice;
use crate::tui::wizards::wizard::Wizard;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// How much is folded, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    /// Nothing.
    All,
    /// Checks that passed are counted; a step is one line.
    Passed,
    /// Also the advice of what needs a look.
    Advice,
    /// What needs a look is one line each.
    Looks,
    /// The steps are named only.
    Steps,
}

/// The page with its two buttons; `all` when the user wants to see everything.
pub fn review(app: &App, frame: &mut Frame<'_>, wizard: &Wizard, plan: &Plan, yes: bool, (scroll, all): (usize, bool)) {
    let columns = page_columns(frame);
    let room = usize::from(columns.saturating_sub(4));
    // Two lines of the frame, a gap and the buttons; above and below a line of what lies behind, and the footer.
    let height = usize::from(frame.area().height.saturating_sub(7));
    let folded = |fold| wrap(&rows(wizard, plan, fold, room), room);
    let rows = match all {
        true => folded(Fold::All),
        false => [Fold::Passed, Fold::Advice, Fold::Looks]
            .into_iter()
            .map(folded)
            .find(|rows| rows.len() <= height)
            .unwrap_or_else(|| folded(Fold::Steps)),
    };
    let inner = frame_box(app.look, frame, columns, rows.len() as u16 + 4, &wizard.form.title());
    let text = Rect { height: inner.height.saturating_sub(2), ..inner };
    scrolled(app.look, frame, text, &rows, scroll);
    let below = Rect { y: text.y + text.height + 1, height: 1, ..inner };
    let blocked = !plan.blocked().is_empty();
    let mut spans = button(app, if blocked { "Back" } else { "No" }, !yes).spans;
    if !blocked {
        let words = match plan.need() {
            Need::Typed(_) => "Go on: type the address",
            _ => "Start",
        };
        spans.push(Span::raw("  "));
        spans.extend(button(app, words, yes).spans);
    }
    put(frame, below, 0, Line::from(spans));
}

fn rows(wizard: &Wizard, plan: &Plan, fold: Fold, columns: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(stale) = &wizard.stale {
        rows.push(Row::new(Role::Look, format!("Nothing was done. {stale}")));
    }
    rows.push(Row::new(Role::Title, plan.title.clone()));
    rows.extend(consequence_row(plan));
    let (open, passed) = plan.sorted_findings();
    open.iter().for_each(|finding| finding_rows(&mut rows, finding, fold, columns));
    if fold < Fold::Steps {
        rows.push(Row::gap());
    }
    step_rows(&mut rows, plan, fold, columns);
    rows.push(Row::new(Role::Muted, format!("$ {}", plan.command())).indented(2));
    if fold == Fold::All {
        rows.push(Row::gap());
        passed.iter().for_each(|finding| finding_rows(&mut rows, finding, fold, columns));
    } else {
        let words = if passed.is_empty() { String::new() } else { format!("✓ {}; ", checks_passed(passed.len())) };
        rows.push(Row::new(Role::Muted, format!("{words}v shows all of it")));
    }
    rows
}

fn step_rows(rows: &mut Vec<Row>, plan: &Plan, fold: Fold, columns: usize) {
    if fold == Fold::Steps {
        let names: Vec<&str> = plan.steps.iter().map(|step| step.name).collect();
        rows.push(Row::new(Role::Text, format!("{} steps: {}", names.len(), names.join(", "))).indented(2));
        return;
    }
    for (number, step) in plan.steps.iter().enumerate() {
        let text = format!("{}. {}: {}", number + 1, step.name, step.text);
        let text = if fold == Fold::All { text } else { shorten_end(&text, columns) };
        rows.push(Row::new(Role::Text, text).indented(3));
    }
}

/// What is lost stands out as danger; what stays as it is must not.
pub(super) fn consequence_row(plan: &Plan) -> Option<Row> {
    let role = if plan.risk == Risk::Destroys { Role::Danger } else { Role::Look };
    (!plan.consequence.is_empty()).then(|| Row::new(role, format!("! {}", plan.consequence)).indented(2))
}

/// One finding. What blocks is always shown in full.
fn finding_rows(rows: &mut Vec<Row>, finding: &Finding, fold: Fold, columns: usize) {
    let (sign, role) = match finding.level {
        Level::Good => ("✓", Role::Good),
        Level::Look => ("!", Role::Look),
        Level::Block => ("✗", Role::Danger),
    };
    let fold = if finding.level == Level::Block { Fold::All } else { fold };
    let text = format!("{sign} {}: {}", finding.check, finding.message);
    let text = if fold < Fold::Looks { text } else { shorten_end(&text, columns) };
    rows.push(Row::new(role, text).indented(2));
    if !finding.advice.is_empty() && fold < Fold::Advice {
        rows.push(Row::new(Role::Muted, format!("  {}", advice(&finding.advice))).indented(2));
    }
}
