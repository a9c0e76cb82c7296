//! Everything that some tenants have open stands still, and moves again in another order.

use coalmine_core::perturb::{Freeze, Start, Via};
use coalmine_core::plan::Lane;
use coalmine_core::step::Action;

use crate::compile::Compiled;
use crate::draw::Draw;

/// At most so many stand still together.
const FROZEN_MAX: u32 = 12;
/// Between one that moves again and the next: time for the target to deal with it alone.
const APART_US: u32 = 1_500;

/// How many stand still, of so many lanes: up to half of them, since others go on meanwhile.
pub(super) fn size(lanes: usize, draw: &mut Draw) -> u32 {
    let half = u32::try_from(lanes / 2).unwrap_or(u32::MAX).clamp(1, FROZEN_MAX);
    1 + draw.below(half)
}

/// The guests stand still until the host's operation is in flight, and then thaw one after another in an order that is drawn.
pub(super) fn freeze(
    compiled: &Compiled,
    (lane, place): (usize, usize),
    guests: &[(usize, usize)],
    lanes: &mut [Lane],
    draw: &mut Draw,
) {
    let until = lanes[lane].ops[place].id;
    let mut turns: Vec<u32> = (0..).take(guests.len()).collect();
    draw.shuffle(&mut turns);
    for ((lane, place), turn) in guests.iter().zip(turns) {
        let op = &mut lanes[*lane].ops[*place];
        let is_request = matches!(compiled.steps[usize::from(op.step.0)].action, Action::Request(_));
        if !is_request || op.manner.cut.is_some() {
            continue;
        }
        let after_us = turn * APART_US + draw.below(APART_US);
        op.manner.freeze = Some(Freeze { until, after_us });
        // A connection that others wait for must not wait for others.
        op.manner.via = if op.manner.via == Via::Fresh { Via::Fresh } else { Via::Own };
        op.manner.start = Start::AtOnce;
    }
}
