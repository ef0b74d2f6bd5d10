//! Where address space is scarce there is no pool; everything holds without it.

use super::super::call::{Machine, Plugin};
use super::super::gate::{Entrant, Gate};
use super::super::ticker::Ticker;
use super::super::{engine, fixtures};
use super::*;

/// A machine that asked for a pool far beyond any address space.
fn machine() -> Machine {
    let limits = Limits::default();
    let engine = engine::start(60_000).unwrap();
    assert!(engine.get_pooling_config().is_none(), "the pool cannot be had");
    let ticker = Ticker::start(engine.clone()).unwrap();
    Machine {
        engine,
        limits,
        ticker,
        monotonic_us,
    }
}

fn admit(machine: &Machine, fixture: &fixtures::Fixture) -> Plugin {
    let entrant = Entrant {
        bytes: &fixture.build(),
        name: None,
        grants: Grants::default(),
        ours: false,
    };
    Gate::new(machine, None, Compiling::Here)
        .unwrap()
        .admit(machine, entrant)
        .unwrap()
}

#[test]
fn without_a_pool_a_strategy_decides_and_its_limits_hold() {
    let machine = machine();
    let outcome = |fixture: &Fixture| {
        machine
            .decide(&admit(&machine, fixture), &cx(), &case(), &nothing())
            .outcome
    };
    let verdict = outcome(&Fixture::verdict("judge", 1, "", "")).unwrap();
    assert_eq!(verdict.decision, Decision::TakeCloud);
    let hangs = Fixture::strategy("hangs", "(call $forever) unreachable");
    assert_eq!(outcome(&hangs).unwrap_err().code, FailureCode::Timeout);
    let eat = "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let failure = outcome(&Fixture::strategy("eats", eat)).unwrap_err();
    assert!(failure.message.contains("a plugin gets 32 MiB"), "{failure}");
    let outside = Fixture::strategy("reaches", "(i32.load (i32.const -8))");
    assert_eq!(outcome(&outside).unwrap_err().code, FailureCode::Trap);
}
