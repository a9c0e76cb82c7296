//! What is done in a round besides the flows to shake the target, drawn from the seed.
//!
//! Nothing here may harm an honest service, or make a check fail that holds without it. Flows keep their operations and what is expected
//! of them: they are released together with others', begin later, go over another connection or more slowly. What is expected to
//! break is done in passes of its own, or is a second copy, with [`Purpose::Shake`](coalmine_core::plan::Purpose::Shake).

mod collide;
mod deaf;
mod flood;
mod forge;
mod manner;
mod meeting;
mod mood;
mod packet;
mod pass;
mod poison;
mod rule;
mod swizzle;

pub(super) use collide::Collisions;
pub(super) use deaf::{draw_deaf, stalled_passes};
pub(super) use flood::{flood_ops_max, floods};
pub(super) use forge::{FORGERIES_MAX_EACH, forgeries};
pub(super) use manner::shake_lanes;
pub(super) use meeting::{Wanted, meet};
pub(super) use mood::{Mood, ShortSessions};
pub(super) use packet::pack;
pub(super) use pass::{beginning, is_narrow, sacrifices};
pub(super) use poison::{empty_lanes, poison_ops_max, poisonings, traces};
pub(super) use rule::passes_given_up;
