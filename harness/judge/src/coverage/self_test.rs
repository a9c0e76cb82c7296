//! The forged leaks: is the detector alive?

use std::collections::{BTreeMap, BTreeSet};

use coalmine_core::Plan;
use coalmine_core::history::Channel;
use coalmine_core::verdict::{SelfTest, Shortfall, ShortfallKind};

/// Forged and found, by channel.
#[derive(Default)]
pub(super) struct SelfTests {
    needed: BTreeSet<Channel>,
    by_channel: BTreeMap<Channel, (u64, u64)>,
}

impl SelfTests {
    /// A round begins: its channels need a self-test.
    pub(super) fn begin(&mut self, plan: &Plan) {
        self.needed.extend([Channel::StatusLine, Channel::Header, Channel::Body]);
        let streams = [Channel::SseEvent, Channel::Webhook, Channel::Store];
        let besides = [Channel::TextFrame, Channel::BinaryFrame, Channel::CloseReason].into_iter().chain(streams);
        self.needed.extend(besides.filter(|channel| plan.uses(*channel)));
    }

    /// A leak was forged.
    pub(super) fn count(&mut self, channel: Channel, found: bool) {
        let (forged, caught) = self.by_channel.entry(channel).or_default();
        *forged += 1;
        *caught += u64::from(found);
    }

    /// As the verdict has them, with the channels that were left out.
    pub(super) fn coverage(&self) -> Vec<SelfTest> {
        let channels = self.needed.iter().copied().chain(self.by_channel.keys().copied());
        let channels: BTreeSet<_> = channels.collect();
        channels.into_iter().map(|channel| self.of(channel)).collect()
    }

    /// Channels in which the detector is not known to be alive.
    pub(super) fn shortfalls(&self) -> Vec<Shortfall> {
        let tests = self.coverage();
        let dead = tests.into_iter().filter_map(|SelfTest { channel, forged, found }| {
            let message = match (forged, forged - found) {
                (0, _) => {
                    format!("no leak was forged in the {channel}, so that the detector is not known to be alive there")
                }
                (_, 1..) => format!("of {forged} leaks forged in the {channel}, {found} were found"),
                _ => return None,
            };
            Some(Shortfall { kind: ShortfallKind::SelfTest, operation: None, message })
        });
        dead.collect()
    }

    fn of(&self, channel: Channel) -> SelfTest {
        let (forged, found) = self.by_channel.get(&channel).copied().unwrap_or_default();
        SelfTest { channel, forged, found }
    }
}
