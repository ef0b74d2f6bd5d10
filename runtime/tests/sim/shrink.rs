//! Cuts a failing plan down: fewer outlets, kinds of faults and steps, as long as the same promise stays broken.

use crate::plan::{Fault, Plan};
use crate::promises::Broken;
use crate::world::play;

/// What was taken out of a seed's plan.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    pub outlets: usize,
    pub faults: Vec<Fault>,
    pub steps: Vec<usize>,
}

/// The smallest plan that was found, within so many tries.
pub fn shrink(plan: &Plan, broken: &Broken, mut tries: usize) -> (Plan, Cut) {
    let mut cut = Cut {
        outlets: plan.outlets(),
        ..Cut::default()
    };
    let mut fails = |cut: &Cut| {
        if tries == 0 {
            return false;
        }
        tries -= 1;
        let smaller = plan.without(&cut.steps, cut.outlets, &cut.faults);
        play(&smaller, false)
            .broken
            .is_some_and(|other| other.promise == broken.promise)
    };
    while cut.outlets > 1 {
        let fewer = Cut {
            outlets: cut.outlets - 1,
            ..cut.clone()
        };
        if !fails(&fewer) {
            break;
        }
        cut = fewer;
    }
    for fault in plan.faults.clone() {
        let mut less = cut.clone();
        less.faults.push(fault);
        if fails(&less) {
            cut = less;
        }
    }
    let mut length = plan.steps.len().div_ceil(2);
    while length > 0 {
        let left: Vec<usize> = plan
            .steps
            .iter()
            .map(|step| step.number)
            .filter(|n| !cut.steps.contains(n))
            .collect();
        for range in left.chunks(length) {
            let mut less = cut.clone();
            less.steps.extend(range);
            if fails(&less) {
                cut = less;
            }
        }
        length /= 2;
    }
    let smallest = plan.without(&cut.steps, cut.outlets, &cut.faults);
    (smallest, cut)
}
