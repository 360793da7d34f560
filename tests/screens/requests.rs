//! The log of requests to servers.

use super::fixture::*;
use super::{assert_named, sizes};
use crate::domain::ids::InstanceName;
use crate::domain::request_log::Exchange;
use crate::tui::messages::effect::Effect;
use crate::tui::messages::event::{Data, Event, RequestRow, Ticket};
use jiff::Timestamp;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Of one moment, so that a row that comes again is known again.
static BASE: OnceLock<Instant> = OnceLock::new();

fn row(second: i64, method: &str, status: Option<u16>, path: &str) -> RequestRow {
    let exchange = Exchange {
        at: *BASE.get_or_init(Instant::now) + Duration::from_secs((second + 100).unsigned_abs()),
        instance: InstanceName::new("prod-eu").unwrap(),
        node: 0,
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        took: Duration::from_millis(12),
    };
    RequestRow { at: Timestamp::from_second(1_763_780_400 + second).unwrap(), exchange }
}

fn open(ui: &mut Ui) -> Ticket {
    ui.keys("L");
    let asked = ui.effects.iter().rev().find_map(|effect| match effect {
        Effect::Requests(ticket) => Some(*ticket),
        _ => None,
    });
    asked.expect("they are asked for")
}

#[test]
fn requests_are_listed_newest_first_and_what_failed_can_be_picked_out() {
    let all = || {
        vec![
            row(9, "GET", None, "/collections/products/snapshots/products-7462152614201081-2026-11-22-03-00-00.snapshot"),
            row(5, "POST", Some(403), "/collections/products/snapshots"),
            row(1, "GET", Some(200), "/collections"),
        ]
    };
    sizes(|columns, rows, name| {
        let mut ui = Ui::new(columns, rows);
        let ticket = open(&mut ui);
        ui.send(Event::Data(ticket, Data::Requests(all())));
        assert_named(&mut ui, &format!("requests_{name}"));
    });
    let mut ui = Ui::new(80, 24);
    let ticket = open(&mut ui);
    ui.send(Event::Data(ticket, Data::Requests(all())));
    ui.keys("f");
    assert!(!ui.screen().contains("200") && ui.screen().contains("2 failed of the last 3"), "{}", ui.screen());
    // Who reads older ones keeps them before the eyes while newer ones come.
    let many = |newer: i64| (0..60 + newer).map(|at| row(at - newer, "GET", Some(200), &format!("/n{}", at - newer))).collect();
    ui.keys("f");
    ui.send(Event::Data(ticket, Data::Requests(many(0))));
    ui.keys("pagedown");
    let first = ui.screen().lines().nth(3).map(str::to_owned);
    ui.send(Event::Data(ticket, Data::Requests(many(5))));
    assert_eq!(ui.screen().lines().nth(3).map(str::to_owned), first, "{}", ui.screen());
    ui.keys("L");
    assert!(ui.app.layers.is_empty());
}
